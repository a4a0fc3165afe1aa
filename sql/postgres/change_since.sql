-- The time when the verdict before a change had begun.
-- Grain: one change whose detail gives that time.
CREATE VIEW change_since AS
WITH said AS (
    SELECT
        event_id,
        CASE WHEN detail LIKE '{%' THEN CAST(detail AS json) ->> 'verdict_since_at' END
            AS since
    FROM change
)
SELECT event_id, CAST(since AS timestamptz) AS verdict_since_at
FROM said
WHERE since IS NOT NULL;
