-- What is restricted now, by region and family, and how much is unknown.
-- Grain: one partner, country, region and family.
-- unknown: keys whose last answer is older than the partner's newest full run, and inventory checks
-- that were never answered. They count neither as restricted nor as unrestricted.
WITH known AS (
    SELECT
        i.partner_tenant_id, i.country, COALESCE(i.region, '') AS region, i.product_id, i.sku_id,
        i.customer_id,
        CASE WHEN i.is_stale THEN 'unknown' ELSE i.verdict END AS state
    FROM latest_inventory AS i
    UNION ALL
    SELECT
        u.partner_tenant_id, u.country, u.arm_region, u.product_id, u.sku_id, u.customer_id,
        'unknown'
    FROM unanswered AS u
    WHERE u.kind = 'inventory' AND u.since IS NULL
)
SELECT
    p.partner_name,
    k.country,
    k.region,
    COALESCE(n.family, '') AS family,
    COUNT(CASE WHEN k.state = 'restricted' THEN 1 END) AS restricted,
    COUNT(CASE WHEN k.state = 'unrestricted' THEN 1 END) AS unrestricted,
    COUNT(CASE WHEN k.state = 'not_in_catalog' THEN 1 END) AS not_in_catalog,
    COUNT(CASE WHEN k.state = 'unknown' THEN 1 END) AS unknown,
    COUNT(DISTINCT CASE WHEN k.state = 'restricted' THEN k.customer_id END) AS customers
FROM known AS k
INNER JOIN dim_partner AS p ON p.partner_tenant_id = k.partner_tenant_id
LEFT JOIN sku_name AS n
    ON n.partner_tenant_id = k.partner_tenant_id
    AND n.product_id = k.product_id
    AND n.sku_id = k.sku_id
GROUP BY p.partner_name, k.country, k.region, COALESCE(n.family, '')
ORDER BY restricted DESC, p.partner_name, k.country, k.region, family
