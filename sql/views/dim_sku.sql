-- Every SKU that the catalog lists or a current row names.
-- Grain: one partner, country, reservation scope and SKU, identified by sku_key.
-- is_listed is false for a SKU that left the catalog. It is also false for a SKU that is known only
-- from a subscription, which has no country (country '').
CREATE VIEW dim_sku AS
WITH named AS (
    SELECT partner_tenant_id, country, reservation_scope, product_id, sku_id FROM current_sku
    UNION
    SELECT partner_tenant_id, country, reservation_scope, product_id, sku_id FROM known_sku_title
    UNION
    SELECT partner_tenant_id, country, reservation_scope, product_id, sku_id
    FROM current_inventory
    UNION
    SELECT partner_tenant_id, country, reservation_scope, product_id, sku_id
    FROM current_availability
    UNION
    SELECT partner_tenant_id, '', '', product_id, sku_id
    FROM current_commerce_subscription
    WHERE product_id <> '' AND sku_id <> ''
)
SELECT
    k.partner_tenant_id || '|' || k.country || '|' || k.reservation_scope || '|' || k.product_id
        || ':' || k.sku_id AS sku_key,
    k.partner_tenant_id, k.country, k.reservation_scope, k.product_id, k.sku_id,
    COALESCE(NULLIF(s.product_title, ''), n.product_title, '') AS product_title,
    COALESCE(NULLIF(s.title, ''), n.sku_title, '') AS sku_title,
    COALESCE(NULLIF(s.arm_sku_name, ''), n.arm_sku_name, '') AS arm_sku_name,
    COALESCE(NULLIF(s.region, ''), n.region, '') AS region,
    COALESCE(n.family, '') AS family,
    COALESCE(s.category, '') AS category,
    s.cores, s.ram_gb,
    COALESCE(s.term_duration, '') AS term_duration,
    COALESCE(s.flexibility_group, '') AS flexibility_group,
    COALESCE(s.flexibility_ratio, '') AS flexibility_ratio,
    s.sku_id IS NOT NULL AS is_listed
FROM named AS k
LEFT JOIN current_sku AS s
    ON s.partner_tenant_id = k.partner_tenant_id
    AND s.country = k.country
    AND s.reservation_scope = k.reservation_scope
    AND s.product_id = k.product_id
    AND s.sku_id = k.sku_id
LEFT JOIN sku_name AS n
    ON n.partner_tenant_id = k.partner_tenant_id
    AND n.product_id = k.product_id
    AND n.sku_id = k.sku_id;
