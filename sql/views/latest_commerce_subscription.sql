-- The commerce subscriptions known now, with names and one-column keys.
-- Grain: one commerce subscription.
-- A subscription has no country: that part of its sku_key is empty, as in latest_availability by
-- customer. A legacy offer names no product, so its sku_key is ''.
CREATE VIEW latest_commerce_subscription AS
SELECT
    h.*,
    COALESCE(c.company_name, '') AS company_name,
    COALESCE(n.product_title, '') AS product_title,
    COALESCE(NULLIF(n.sku_title, ''), h.offer_name, '') AS sku_title,
    h.partner_tenant_id || '|' || h.customer_id AS customer_key,
    CASE
        WHEN COALESCE(h.product_id, '') = '' OR COALESCE(h.sku_id, '') = '' THEN ''
        ELSE h.partner_tenant_id || '|||' || h.product_id || ':' || h.sku_id
    END AS sku_key,
    h.partner_tenant_id || '|' || COALESCE(h.reseller_id, '') AS reseller_key
FROM current_commerce_subscription AS h
LEFT JOIN current_customer AS c
    ON c.partner_tenant_id = h.partner_tenant_id AND c.customer_id = h.customer_id
LEFT JOIN sku_name AS n
    ON n.partner_tenant_id = h.partner_tenant_id
    AND n.product_id = h.product_id
    AND n.sku_id = h.sku_id;
