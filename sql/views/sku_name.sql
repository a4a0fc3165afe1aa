-- The names of a SKU: from the catalog's listing, else from the time when it left the catalog, else
-- from the offer name of a subscription that holds it.
-- Grain: one partner and SKU, sku_id '' for the product alone.
-- A title is the same in every country (the language is fixed), so it is taken from the first
-- country.
CREATE VIEW sku_name AS
WITH called AS (
    SELECT
        s.partner_tenant_id, s.product_id, s.sku_id, s.product_title, s.title AS sku_title,
        s.arm_sku_name, s.region,
        COALESCE(NULLIF(s.flexibility_group, ''), NULLIF(s.category, ''), s.product_title, '')
            AS family,
        1 AS source, s.country, s.reservation_scope
    FROM current_sku AS s
    UNION ALL
    SELECT
        k.partner_tenant_id, k.product_id, k.sku_id, k.product_title, k.title, k.arm_sku_name,
        '', k.product_title, 2, k.country, k.reservation_scope
    FROM known_sku_title AS k
    WHERE NOT k.is_listed
    UNION ALL
    SELECT
        h.partner_tenant_id, h.product_id, h.sku_id, '', MIN(h.offer_name), '', '', '', 3, '', ''
    FROM current_commerce_subscription AS h
    WHERE h.product_id <> '' AND h.sku_id <> ''
    GROUP BY h.partner_tenant_id, h.product_id, h.sku_id
    UNION ALL
    SELECT
        k.partner_tenant_id, k.product_id, '', MIN(k.product_title), '', '', '',
        MIN(k.product_title), 4, '', ''
    FROM known_sku_title AS k
    WHERE k.product_title <> ''
    GROUP BY k.partner_tenant_id, k.product_id
),
placed AS (
    SELECT
        c.*,
        ROW_NUMBER() OVER (
            PARTITION BY c.partner_tenant_id, c.product_id, c.sku_id
            ORDER BY c.source, c.country, c.reservation_scope
        ) AS place
    FROM called AS c
)
SELECT
    partner_tenant_id, product_id, sku_id,
    COALESCE(product_title, '') AS product_title,
    COALESCE(sku_title, '') AS sku_title,
    COALESCE(arm_sku_name, '') AS arm_sku_name,
    COALESCE(region, '') AS region,
    COALESCE(family, '') AS family
FROM placed
WHERE place = 1;
