-- The catalog of each country and reservation scope, as it is known now.
-- Grain:  one partner, country, reservation scope and SKU.
CREATE VIEW current_sku AS
SELECT
    snapshot_id, partner_tenant_id, country, reservation_scope, product_id, sku_id, product_title,
    title, arm_sku_name, region, region_name, category, cores, ram_gb, term_duration,
    flexibility_group, flexibility_ratio, inventory_variables, purchase_prerequisites
FROM known_sku;
