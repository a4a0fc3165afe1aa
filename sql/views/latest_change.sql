-- Every published change, suspect ones included, with names and one-column keys.
-- Grain: one change.
-- The keys are those of latest_inventory, and for the subject availability of latest_availability.
-- The names are those known now.
CREATE VIEW latest_change AS
SELECT
    h.*,
    COALESCE(c.company_name, '') AS company_name,
    COALESCE(n.product_title, '') AS product_title,
    COALESCE(n.sku_title, '') AS sku_title,
    COALESCE(n.arm_sku_name, '') AS arm_sku_name,
    COALESCE(NULLIF(h.arm_region, ''), n.region, '') AS region,
    h.partner_tenant_id || '|' || h.customer_id AS customer_key,
    h.partner_tenant_id || '|' || h.country || '|' || h.reservation_scope || '|' || h.product_id
        || ':' || h.sku_id AS sku_key,
    h.partner_tenant_id || '|' || h.customer_id || '|' || h.country || '|'
        || h.azure_subscription_id || '|' || h.arm_region || '|' || h.reservation_scope || '|'
        || h.product_id || ':' || h.sku_id AS inventory_key
FROM change AS h
LEFT JOIN current_customer AS c
    ON c.partner_tenant_id = h.partner_tenant_id AND c.customer_id = h.customer_id
LEFT JOIN sku_name AS n
    ON n.partner_tenant_id = h.partner_tenant_id
    AND n.product_id = h.product_id
    AND n.sku_id = h.sku_id;
