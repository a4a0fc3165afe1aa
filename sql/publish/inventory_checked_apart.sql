-- The keys that were asked at another time than most of their check.
-- Grain:  one key.      Reads:  stated, rows of the relation inventory, and inventory_checked.
SELECT
    s.snapshot_id, s.partner_tenant_id, s.customer_id, s.country, s.azure_subscription_id,
    s.arm_region, s.reservation_scope, s.product_id, s.sku_id, s.checked_at, s.checked_snapshot_id
FROM stated AS s
INNER JOIN inventory_checked AS c
    ON c.partner_tenant_id = s.partner_tenant_id
    AND c.customer_id = s.customer_id
    AND c.country = s.country
    AND c.azure_subscription_id = s.azure_subscription_id
    AND c.arm_region = s.arm_region
    AND c.reservation_scope = s.reservation_scope
    AND c.product_id = s.product_id
WHERE
    s.checked_at IS DISTINCT FROM c.checked_at
    OR s.checked_snapshot_id IS DISTINCT FROM c.checked_snapshot_id;
