-- The catalog of each country and reservation scope, as known now.
-- Grain: one partner, country, reservation scope and SKU.
CREATE VIEW current_sku AS
SELECT
    l.snapshot_id, i.partner_tenant_id, i.country, i.reservation_scope, i.product_id,
    i.sku_id, i.product_title, i.title, i.arm_sku_name, i.region, i.region_name, i.category,
    i.cores, i.ram_gb, i.term_duration, i.flexibility_group, i.flexibility_ratio,
    i.inventory_variables, i.purchase_prerequisites
FROM sku_interval AS i
INNER JOIN latest AS l
    ON l.partner_tenant_id = i.partner_tenant_id
    AND l.customer_id = ''
    AND l.country = i.country
WHERE i.valid_to IS NULL;
