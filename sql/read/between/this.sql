-- The later of two snapshots, whose rows are taken for answers, whatever their age.
-- Grain: one row.
-- Binds: after (its id).
SELECT snapshot_id, partner_tenant_id, started_at, business_date, true AS ignores_age
FROM snapshot
WHERE snapshot_id = $after;
