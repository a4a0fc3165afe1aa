-- The restrictions known now, with names, age and one-column keys.
-- Grain: one inventory key and ordinal.
CREATE VIEW latest_restriction AS
SELECT
    r.*,
    COALESCE(c.company_name, '') AS company_name,
    COALESCE(n.product_title, '') AS product_title,
    COALESCE(n.sku_title, '') AS sku_title,
    COALESCE(n.arm_sku_name, '') AS arm_sku_name,
    COALESCE(
        i.checked_at < p.newest_full_started_at
        AND i.checked_snapshot_id < p.newest_full_snapshot_id, false
    ) AS is_stale,
    CAST(EXTRACT(EPOCH FROM (p.newest_published_at - i.checked_at)) AS double precision) / 3600
        AS answer_age_hours,
    r.partner_tenant_id || '|' || r.customer_id AS customer_key,
    r.partner_tenant_id || '|' || r.country || '|' || r.reservation_scope || '|' || r.product_id
        || ':' || r.sku_id AS sku_key,
    r.partner_tenant_id || '|' || r.customer_id || '|' || r.country || '|'
        || r.azure_subscription_id || '|' || r.arm_region || '|' || r.reservation_scope || '|'
        || r.product_id || ':' || r.sku_id AS inventory_key
FROM current_restriction AS r
INNER JOIN current_inventory AS i
    ON i.partner_tenant_id = r.partner_tenant_id
    AND i.customer_id = r.customer_id
    AND i.country = r.country
    AND i.azure_subscription_id = r.azure_subscription_id
    AND i.arm_region = r.arm_region
    AND i.reservation_scope = r.reservation_scope
    AND i.product_id = r.product_id
    AND i.sku_id = r.sku_id
INNER JOIN partner_now AS p ON p.partner_tenant_id = r.partner_tenant_id
LEFT JOIN current_customer AS c
    ON c.partner_tenant_id = r.partner_tenant_id AND c.customer_id = r.customer_id
LEFT JOIN sku_name AS n
    ON n.partner_tenant_id = r.partner_tenant_id
    AND n.product_id = r.product_id
    AND n.sku_id = r.sku_id;
