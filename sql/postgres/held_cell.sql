-- The cells of each snapshot that is not pruned, with its place in the order of publication.
-- Grain: one snapshot and cell.
CREATE VIEW held_cell AS
SELECT
    s.snapshot_id, s.sequence, c.partner_tenant_id, c.customer_id, c.country
FROM coverage AS c
INNER JOIN snapshot AS s ON s.snapshot_id = c.snapshot_id
INNER JOIN publication AS p ON p.snapshot_id = c.snapshot_id
WHERE p.pruned_at IS NULL;
