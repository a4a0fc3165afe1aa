-- Facts about things that have no row in another relation, for every snapshot that is not pruned.
-- Grain: one snapshot, key and kind of fact (what).
CREATE VIEW remembered AS
SELECT
    v.snapshot_id, i.partner_tenant_id, i.customer_id, i.country, i.azure_subscription_id,
    i.arm_region, i.reservation_scope, i.product_id, i.sku_id, i.what, i.detail, i.since_at
FROM held_cell AS v
INNER JOIN remembered_interval AS i
    ON v.partner_tenant_id = i.partner_tenant_id
    AND v.customer_id = i.customer_id
    AND v.country = i.country
    AND i.valid_from <= v.sequence
    AND (i.valid_to IS NULL OR i.valid_to > v.sequence);
