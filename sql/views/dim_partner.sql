-- The partner tenants.
-- Grain: one partner.
CREATE VIEW dim_partner AS
SELECT
    partner_tenant_id, partner_name, newest_snapshot_id, newest_published_at,
    newest_full_snapshot_id, newest_full_started_at
FROM partner_now;
