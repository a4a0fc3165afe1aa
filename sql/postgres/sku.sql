-- The catalog of each country and reservation scope, for every snapshot that is not pruned.
-- Grain: one snapshot and partner, country, reservation scope and SKU.
CREATE VIEW sku AS
SELECT
    v.snapshot_id, i.partner_tenant_id, i.country, i.reservation_scope, i.product_id, i.sku_id,
    i.product_title, i.title, i.arm_sku_name, i.region, i.region_name, i.category, i.cores,
    i.ram_gb, i.term_duration, i.flexibility_group, i.flexibility_ratio, i.inventory_variables,
    i.purchase_prerequisites
FROM held_cell AS v
INNER JOIN sku_interval AS i
    ON v.partner_tenant_id = i.partner_tenant_id
    AND v.customer_id = ''
    AND v.country = i.country
    AND i.valid_from <= v.sequence
    AND (i.valid_to IS NULL OR i.valid_to > v.sequence);
