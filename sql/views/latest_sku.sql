-- The catalog as known now, with a one-column key.
-- Grain: one partner, country, reservation scope and SKU.
CREATE VIEW latest_sku AS
SELECT
    s.*,
    s.partner_tenant_id || '|' || s.country || '|' || s.reservation_scope || '|' || s.product_id
        || ':' || s.sku_id AS sku_key
FROM current_sku AS s;
