-- The customers with the most restricted keys, and how many of their keys are unknown.
-- Grain: one customer of one partner. A customer without an inventory key has no row.
-- A SKU restricted in two Azure subscriptions counts twice. restricted_share: share of the known keys.
-- unknown: keys whose last answer is older than the partner's newest full run.
SELECT
    p.partner_name, COALESCE(c.reseller_id, '') AS reseller_id, c.customer_id, c.company_name,
    COUNT(CASE WHEN i.verdict = 'restricted' AND NOT i.is_stale THEN 1 END) AS restricted,
    COUNT(
        DISTINCT CASE
            WHEN i.verdict = 'restricted' AND NOT i.is_stale THEN i.product_id || ':' || i.sku_id
        END
    ) AS restricted_skus,
    COUNT(CASE WHEN NOT i.is_stale THEN 1 END) AS known,
    CAST(COUNT(CASE WHEN i.verdict = 'restricted' AND NOT i.is_stale THEN 1 END) AS double precision)
        / NULLIF(COUNT(CASE WHEN NOT i.is_stale THEN 1 END), 0) AS restricted_share,
    COUNT(CASE WHEN i.is_stale THEN 1 END) AS unknown
FROM latest_inventory AS i
INNER JOIN dim_customer AS c
    ON c.partner_tenant_id = i.partner_tenant_id AND c.customer_id = i.customer_id
INNER JOIN dim_partner AS p ON p.partner_tenant_id = i.partner_tenant_id
GROUP BY p.partner_name, c.reseller_id, c.customer_id, c.company_name
ORDER BY restricted DESC, unknown DESC, p.partner_name, c.company_name, c.customer_id
