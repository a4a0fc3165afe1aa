-- The changes of the snapshots since a time of publication, or since a business date.
-- Grain: one change.
-- Binds: since_at, since_day (null: any).
SELECT c.*
FROM change AS c
INNER JOIN snapshot AS s ON s.snapshot_id = c.snapshot_id
WHERE
    (
        CAST($since_at AS TIMESTAMPTZ) IS NULL
        OR s.published_at >= CAST($since_at AS TIMESTAMPTZ)
    )
    AND (CAST($since_day AS DATE) IS NULL OR s.business_date >= CAST($since_day AS DATE));
