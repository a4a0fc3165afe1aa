-- Every day from the first snapshot to the newest, including days without a snapshot.
-- Grain: one day.
CREATE VIEW dim_date AS
WITH RECURSIVE day_of AS (
    SELECT MIN(business_date) AS date, MAX(business_date) AS last_date
    FROM snapshot
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
