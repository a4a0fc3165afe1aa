-- Every verdict that ended without a change of its own.
-- Grain: one snapshot and inventory key.
CREATE VIEW ending AS
SELECT
    snapshot_id, partner_tenant_id, customer_id, country, azure_subscription_id, arm_region,
    reservation_scope, product_id, sku_id, verdict, reason_codes, restriction_values,
    verdict_since_at, verdict_since_snapshot_id, ended_at, ended_by
FROM auditor_tables.ending;
