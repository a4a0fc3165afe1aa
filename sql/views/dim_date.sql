-- Every day from the first snapshot or attempt to the newest, including days without one.
-- Grain: one day.
CREATE VIEW dim_date AS
WITH RECURSIVE used AS (
    SELECT business_date AS date FROM snapshot
    UNION ALL
    SELECT CAST(a.started_at AT TIME ZONE 'UTC' AS date)
    FROM attempt AS a
    WHERE NOT EXISTS (
        SELECT 1 FROM snapshot AS s
        WHERE s.partner_tenant_id = a.partner_tenant_id AND s.run_id = a.run_id
    )
),
day_of AS (
    SELECT MIN(date) AS date, MAX(date) AS last_date
    FROM used
    UNION ALL
    SELECT CAST(date + 1 AS date), last_date
    FROM day_of
    WHERE date < last_date
)
SELECT
    date,
    CAST(EXTRACT(YEAR FROM date) AS integer) AS year,
    CAST(EXTRACT(QUARTER FROM date) AS integer) AS quarter,
    CAST(EXTRACT(MONTH FROM date) AS integer) AS month,
    CAST(EXTRACT(DAY FROM date) AS integer) AS day,
    CAST(EXTRACT(WEEK FROM date) AS integer) AS iso_week,
    CAST(EXTRACT(ISODOW FROM date) AS integer) AS iso_weekday,
    EXTRACT(ISODOW FROM date) IN (6, 7) AS is_weekend
FROM day_of
WHERE date IS NOT NULL;
