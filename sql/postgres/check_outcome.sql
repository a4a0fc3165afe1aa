-- How every check ended, for every snapshot that is not pruned.
-- Grain: one snapshot and check.
CREATE VIEW check_outcome AS
SELECT
    snapshot_id, check_id, kind, partner_tenant_id, customer_id, country, azure_subscription_id,
    arm_region, reservation_scope, product_id, sku_id, outcome, reason, http_status, error_code,
    request_id, correlation_id, attempts, checked_at
FROM auditor_tables.check_outcome;
