-- Everything known of each inventory key, as known now.
-- Grain: one inventory key.
-- An older version wrote restriction_values in the letter case in which they were sent.
-- The view inventory joins the times in the same way: it says why the joins are written twice.
CREATE VIEW current_inventory AS
SELECT
    l.snapshot_id, i.partner_tenant_id, i.customer_id, i.country,
    i.azure_subscription_id, i.arm_region, i.reservation_scope, i.product_id, i.sku_id,
    i.verdict, i.reason_codes, lower(i.restriction_values) AS restriction_values, i.region,
    CASE WHEN a.snapshot_id IS NULL THEN c.checked_at ELSE a.checked_at END
        AS checked_at,
    CASE WHEN a.snapshot_id IS NULL THEN c.checked_snapshot_id ELSE a.checked_snapshot_id END
        AS checked_snapshot_id,
    i.verdict_since_at, i.verdict_since_snapshot_id, i.pending_verdict, i.pending_reason_codes,
    i.pending_restriction_values, i.pending_snapshot_id
FROM inventory_interval AS i
INNER JOIN latest AS l
    ON l.partner_tenant_id = i.partner_tenant_id
    AND l.customer_id = i.customer_id
    AND l.country = i.country
LEFT JOIN inventory_checked AS c
    ON c.snapshot_id = l.snapshot_id
    AND c.bucket = i.bucket
    AND c.partner_tenant_id = i.partner_tenant_id
    AND c.customer_id = i.customer_id
    AND c.country = i.country
    AND c.azure_subscription_id = i.azure_subscription_id
    AND c.arm_region = i.arm_region
    AND c.reservation_scope = i.reservation_scope
    AND c.product_id = i.product_id
LEFT JOIN inventory_checked_apart AS a
    ON a.snapshot_id = l.snapshot_id
    AND a.bucket = i.bucket
    AND a.partner_tenant_id = i.partner_tenant_id
    AND a.customer_id = i.customer_id
    AND a.country = i.country
    AND a.azure_subscription_id = i.azure_subscription_id
    AND a.arm_region = i.arm_region
    AND a.reservation_scope = i.reservation_scope
    AND a.product_id = i.product_id
    AND a.sku_id = i.sku_id
WHERE i.valid_to IS NULL;
