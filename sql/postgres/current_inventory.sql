-- Everything known of each cell a snapshot covers, as it is known now.
-- Grain:  one inventory key.
CREATE VIEW current_inventory AS
SELECT
    snapshot_id, partner_tenant_id, customer_id, country, azure_subscription_id, arm_region,
    reservation_scope, product_id, sku_id, verdict, reason_codes, restriction_values, region,
    checked_at, checked_snapshot_id, verdict_since_at, verdict_since_snapshot_id, pending_verdict,
    pending_reason_codes, pending_restriction_values, pending_snapshot_id
FROM known_inventory;
