-- How complete each snapshot is: its numbers of answered and unanswered checks.
-- Grain: one snapshot.
CREATE VIEW snapshot_health AS
WITH cells AS (
    SELECT
        snapshot_id,
        COUNT(*) AS cells,
        COUNT(CASE WHEN status = 'partly' THEN 1 END) AS cells_partly,
        COUNT(CASE WHEN status = 'failed' THEN 1 END) AS cells_failed,
        COUNT(CASE WHEN status = 'left' THEN 1 END) AS cells_left
    FROM coverage
    GROUP BY snapshot_id
),
suspects AS (
    SELECT snapshot_id, COUNT(*) AS suspect_changes
    FROM change
    WHERE suspect
    GROUP BY snapshot_id
)
SELECT
    s.snapshot_id, s.sequence, s.run_id, s.partner_tenant_id, s.partner_name, s.started_at,
    s.published_at, s.business_date, s.kind, s.status,
    CAST(EXTRACT(EPOCH FROM (s.published_at - s.started_at)) AS double precision) AS seconds,
    s.calls, s.retries, s.throttled, s.checks_answered, s.checks_failed, s.checks_skipped,
    s.checks_not_eligible, s.listings_failed, s.customers_unlisted,
    CAST(s.checks_failed + s.checks_skipped AS double precision)
        / NULLIF(s.checks_answered + s.checks_failed + s.checks_skipped, 0) AS unknown_share,
    COALESCE(c.cells, 0) AS cells,
    COALESCE(c.cells_partly, 0) AS cells_partly,
    COALESCE(c.cells_failed, 0) AS cells_failed,
    COALESCE(c.cells_left, 0) AS cells_left,
    s.inventory_rows, s.availability_rows, s.changes,
    COALESCE(u.suspect_changes, 0) AS suspect_changes,
    s.snapshot_id = p.newest_snapshot_id AS is_newest,
    COALESCE(s.snapshot_id = p.newest_full_snapshot_id, false) AS is_newest_full
FROM snapshot AS s
INNER JOIN partner_now AS p ON p.partner_tenant_id = s.partner_tenant_id
LEFT JOIN cells AS c ON c.snapshot_id = s.snapshot_id
LEFT JOIN suspects AS u ON u.snapshot_id = s.snapshot_id;
