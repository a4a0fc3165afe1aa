-- How complete the newest snapshots of each reported partner are, newest first.
-- Grain: one snapshot.
-- Binds: newest (how many of each partner).
-- Reads: reported.
WITH placed AS (
    SELECT
        h.partner_name AS partner, h.snapshot_id, h.sequence, h.started_at, h.kind, h.status,
        h.calls, h.retries, h.throttled, h.checks_answered AS answered, h.checks_failed AS failed,
        h.checks_skipped AS skipped, h.unknown_share, h.cells, h.cells_partly, h.cells_failed,
        h.cells_left, h.changes, h.suspect_changes,
        ROW_NUMBER() OVER (PARTITION BY h.partner_tenant_id ORDER BY h.sequence DESC) AS place
    FROM snapshot_health AS h
    WHERE h.sequence <= (SELECT MAX(sequence) FROM reported)
        AND h.partner_tenant_id IN (SELECT partner_tenant_id FROM reported)
)
SELECT
    partner, snapshot_id, started_at, kind, status, calls, retries, throttled, answered, failed,
    skipped, unknown_share, cells, cells_partly, cells_failed, cells_left, changes, suspect_changes
FROM placed
WHERE place <= $newest
ORDER BY partner, sequence DESC;
