-- The time when the verdict before a change had begun.
-- Grain: one change whose detail gives that time.
CREATE VIEW change_since AS
SELECT
    event_id,
    TRY_CAST(json_extract_string(detail, '$.verdict_since_at') AS TIMESTAMPTZ) AS verdict_since_at
FROM change
WHERE
    json_valid(detail)
    AND TRY_CAST(json_extract_string(detail, '$.verdict_since_at') AS TIMESTAMPTZ) IS NOT NULL;
