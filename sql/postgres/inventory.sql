-- Everything known of each inventory key, for every snapshot that is not pruned.
-- Grain: one snapshot and inventory key.
-- current_inventory joins the times in the same way, and the joins stay written twice. It reads the
-- partial index of open intervals, which a view over this view could not use.
CREATE VIEW inventory AS
SELECT
    v.snapshot_id, i.partner_tenant_id, i.customer_id, i.country, i.azure_subscription_id,
    i.arm_region, i.reservation_scope, i.product_id, i.sku_id, i.verdict, i.reason_codes,
    i.restriction_values, i.region,
    CASE WHEN a.snapshot_id IS NULL THEN c.checked_at ELSE a.checked_at END
        AS checked_at,
    CASE WHEN a.snapshot_id IS NULL THEN c.checked_snapshot_id ELSE a.checked_snapshot_id END
        AS checked_snapshot_id,
    i.verdict_since_at, i.verdict_since_snapshot_id, i.pending_verdict, i.pending_reason_codes,
    i.pending_restriction_values, i.pending_snapshot_id
FROM held_cell AS v
INNER JOIN inventory_interval AS i
    ON v.partner_tenant_id = i.partner_tenant_id
    AND v.customer_id = i.customer_id
    AND v.country = i.country
    AND i.valid_from <= v.sequence
    AND (i.valid_to IS NULL OR i.valid_to > v.sequence)
LEFT JOIN inventory_checked AS c
    ON c.snapshot_id = v.snapshot_id
    AND c.bucket = i.bucket
    AND c.partner_tenant_id = i.partner_tenant_id
    AND c.customer_id = i.customer_id
    AND c.country = i.country
    AND c.azure_subscription_id = i.azure_subscription_id
    AND c.arm_region = i.arm_region
    AND c.reservation_scope = i.reservation_scope
    AND c.product_id = i.product_id
LEFT JOIN inventory_checked_apart AS a
    ON a.snapshot_id = v.snapshot_id
    AND a.bucket = i.bucket
    AND a.partner_tenant_id = i.partner_tenant_id
    AND a.customer_id = i.customer_id
    AND a.country = i.country
    AND a.azure_subscription_id = i.azure_subscription_id
    AND a.arm_region = i.arm_region
    AND a.reservation_scope = i.reservation_scope
    AND a.product_id = i.product_id
    AND a.sku_id = i.sku_id;
