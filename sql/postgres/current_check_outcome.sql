-- The checks of each cell's newest snapshot: how they ended.
-- Grain: one check.
CREATE VIEW current_check_outcome AS
SELECT
    o.snapshot_id, o.check_id, o.kind, o.partner_tenant_id, o.customer_id, o.country,
    o.azure_subscription_id, o.arm_region, o.reservation_scope, o.product_id, o.sku_id, o.outcome,
    o.reason, o.http_status, o.error_code, o.request_id, o.correlation_id, o.attempts,
    o.checked_at
FROM check_outcome AS o
INNER JOIN latest AS l
    ON l.snapshot_id = o.snapshot_id
    AND l.partner_tenant_id = o.partner_tenant_id
    AND l.customer_id = o.customer_id
    AND l.country = o.country;
