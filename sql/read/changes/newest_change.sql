-- The changes after each partner's previous full snapshot, also those of partial runs.
-- Grain: one change.
SELECT c.*
FROM change AS c
INNER JOIN snapshot AS s ON s.snapshot_id = c.snapshot_id
INNER JOIN partner_now AS p
    ON p.partner_tenant_id = s.partner_tenant_id
    AND s.sequence > COALESCE(p.previous_full_sequence, 0);
