-- The changes in each partner's newest full snapshot.
-- Grain: one partner, kind, and whether the changes are suspect.
SELECT
    p.partner_tenant_id,
    c.kind,
    c.suspect,
    COUNT(*) AS changes
FROM partner_night AS p
INNER JOIN change AS c ON c.snapshot_id = p.full_snapshot_id
GROUP BY p.partner_tenant_id, c.kind, c.suspect
ORDER BY p.partner_tenant_id, c.kind, c.suspect
