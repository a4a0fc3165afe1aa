-- The partner tenants that any run tried, also those without a snapshot.
-- Grain: one partner.
CREATE VIEW dim_partner AS
SELECT
    n.partner_tenant_id, n.partner_name, p.newest_snapshot_id, p.newest_published_at,
    p.newest_full_snapshot_id, p.newest_full_started_at
FROM partner_night AS n
LEFT JOIN partner_now AS p ON p.partner_tenant_id = n.partner_tenant_id;
