-- The SKUs that customers can no longer buy: restricted now, unrestricted before.
-- Grain: one change that is not suspect, of a snapshot after its partner's previous full one.
CREATE VIEW newly_restricted AS
SELECT h.*
FROM latest_change AS h
INNER JOIN snapshot AS s ON s.snapshot_id = h.snapshot_id
INNER JOIN partner_now AS p
    ON p.partner_tenant_id = h.partner_tenant_id
    AND s.sequence > COALESCE(p.previous_full_sequence, 0)
WHERE h.kind = 'newly_restricted' AND NOT h.suspect;
