-- The known row of each availability key now, with names, age and one-column keys.
-- Grain: one availability key.
-- Rows by customer have no country, and rows by country have no customer: that part of their
-- one-column keys is empty. An availability has no Azure subscription and no region: they are '' in
-- inventory_key.
CREATE VIEW latest_availability AS
SELECT
    a.*,
    COALESCE(c.company_name, '') AS company_name,
    COALESCE(n.product_title, '') AS product_title,
    COALESCE(n.sku_title, '') AS sku_title,
    COALESCE(n.arm_sku_name, '') AS arm_sku_name,
    COALESCE(
        a.checked_at < p.newest_full_started_at
        AND a.checked_snapshot_id < p.newest_full_snapshot_id, false
    ) AS is_stale,
    CAST(EXTRACT(EPOCH FROM (p.newest_published_at - a.checked_at)) AS double precision) / 3600
        AS answer_age_hours,
    a.partner_tenant_id || '|' || a.customer_id AS customer_key,
    a.partner_tenant_id || '|' || a.country || '|' || a.reservation_scope || '|' || a.product_id
        || ':' || a.sku_id AS sku_key,
    a.partner_tenant_id || '|' || a.customer_id || '|' || a.country || '|'
        || '||' || a.reservation_scope || '|'
        || a.product_id || ':' || a.sku_id AS inventory_key
FROM current_availability AS a
INNER JOIN partner_now AS p ON p.partner_tenant_id = a.partner_tenant_id
LEFT JOIN current_customer AS c
    ON c.partner_tenant_id = a.partner_tenant_id AND c.customer_id = a.customer_id
LEFT JOIN sku_name AS n
    ON n.partner_tenant_id = a.partner_tenant_id
    AND n.product_id = a.product_id
    AND n.sku_id = a.sku_id;
