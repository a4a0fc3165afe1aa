-- How many keys could have made a change: those known with the verdict that it began with.
-- Grain: twice the keys: one source and item (is_item); and one source, holder, region and family,
-- for the customers with changes.
-- Binds: customer, partner (null: all).
-- Reads: shown_inventory, shown_availability (what is known), changed_key.
-- The columns are those of changed_key.
WITH sku AS (
    SELECT
        partner_tenant_id, product_id, sku_id, region,
        COALESCE(NULLIF(family, ''), product_id) AS family,
        COALESCE(NULLIF(arm_sku_name, ''), product_id || ':' || sku_id) AS item
    FROM sku_name
),
wanted AS (
    SELECT DISTINCT source FROM changed_key
),
near AS (
    SELECT DISTINCT partner_tenant_id, customer_id, customer FROM changed_key
),
known AS (
    SELECT
        hash('inventory', i.verdict) AS source, i.partner_tenant_id, i.customer_id,
        hash(COALESCE(NULLIF(i.arm_region, ''), n.region, '')) AS region_key,
        hash(COALESCE(n.family, i.product_id)) AS family_key,
        hash(
            COALESCE(NULLIF(i.arm_region, ''), n.region, ''),
            COALESCE(n.item, i.product_id || ':' || i.sku_id)
        ) AS item,
        hash(
            i.partner_tenant_id, i.customer_id, i.country, i.reservation_scope,
            i.azure_subscription_id
        ) AS holder
    FROM shown_inventory AS i
    LEFT JOIN sku AS n
        ON n.partner_tenant_id = i.partner_tenant_id
        AND n.product_id = i.product_id
        AND n.sku_id = i.sku_id
    UNION ALL
    SELECT
        hash('availability', verdict), partner_tenant_id, customer_id, hash(''),
        hash(product_id), hash('', product_id || ':' || sku_id),
        hash(partner_tenant_id, customer_id, country, reservation_scope, segment)
    FROM shown_availability
    UNION ALL
    SELECT
        hash('catalog', 'listed'), partner_tenant_id, '', hash(''),
        hash(product_id), hash('', product_id || ':' || sku_id),
        hash(partner_tenant_id, '', country, reservation_scope, '')
    FROM current_sku
)
SELECT
    k.source, GROUPING(k.item) = 0 AS is_item, k.region_key, k.family_key, k.item, n.customer,
    CASE WHEN n.customer IS NOT NULL THEN k.holder END AS holder,
    COUNT(*) AS keys
FROM known AS k
SEMI JOIN wanted AS w ON w.source = k.source
LEFT JOIN near AS n
    ON n.partner_tenant_id = k.partner_tenant_id AND n.customer_id = k.customer_id
WHERE
    (CAST($customer AS VARCHAR) IS NULL OR k.customer_id = CAST($customer AS VARCHAR))
    AND (CAST($partner AS VARCHAR) IS NULL OR k.partner_tenant_id = CAST($partner AS VARCHAR))
GROUP BY GROUPING SETS (
    (k.source, k.region_key, k.family_key, k.item),
    (k.source, k.region_key, k.family_key, n.customer, holder)
);
