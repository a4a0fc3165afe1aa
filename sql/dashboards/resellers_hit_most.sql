-- The resellers whose customers have the most restricted keys, and how many keys are unknown.
-- Grain: one reseller of a partner, '' for customers to whom the partner sells directly.
-- A SKU restricted in two Azure subscriptions counts twice. restricted_share: share of the known keys.
-- unknown: keys whose last answer is older than the partner's newest full run.
SELECT
    p.partner_name, COALESCE(c.reseller_id, '') AS reseller_id,
    COUNT(DISTINCT c.customer_id) AS customers,
    COUNT(DISTINCT CASE WHEN i.verdict = 'restricted' AND NOT i.is_stale THEN c.customer_id END)
        AS customers_hit,
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
GROUP BY p.partner_name, COALESCE(c.reseller_id, '')
ORDER BY restricted DESC, unknown DESC, p.partner_name, reseller_id
