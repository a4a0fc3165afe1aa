-- The SKUs that customers can no longer buy, over the seven days up to the partner's newest
-- snapshot.
-- Grain: one change that is not suspect.
-- verdict_now is the verdict known now, '' if the key is no longer known.
WITH newest AS (
    SELECT partner_tenant_id, MAX(business_date) AS business_date
    FROM snapshot
    GROUP BY partner_tenant_id
)
SELECT
    h.business_date,
    p.partner_name,
    COALESCE(c.reseller_id, '') AS reseller_id,
    h.customer_id,
    COALESCE(c.company_name, '') AS company_name,
    h.country,
    COALESCE(NULLIF(h.arm_region, ''), n.region, '') AS region,
    COALESCE(n.family, '') AS family,
    COALESCE(n.sku_title, '') AS sku_title,
    h.azure_subscription_id,
    h.product_id,
    h.sku_id,
    COALESCE(h.reason_codes_after, '') AS reason_codes,
    h.before_at AS last_unrestricted_at,
    h.after_at AS restricted_at,
    COALESCE(i.verdict, '') AS verdict_now,
    h.event_id
FROM change AS h
INNER JOIN newest AS w
    ON w.partner_tenant_id = h.partner_tenant_id AND h.business_date > w.business_date - 7
INNER JOIN dim_partner AS p ON p.partner_tenant_id = h.partner_tenant_id
LEFT JOIN dim_customer AS c
    ON c.partner_tenant_id = h.partner_tenant_id AND c.customer_id = h.customer_id
LEFT JOIN sku_name AS n
    ON n.partner_tenant_id = h.partner_tenant_id
    AND n.product_id = h.product_id
    AND n.sku_id = h.sku_id
LEFT JOIN latest_inventory AS i
    ON i.partner_tenant_id = h.partner_tenant_id
    AND i.customer_id = h.customer_id
    AND i.country = h.country
    AND i.azure_subscription_id = h.azure_subscription_id
    AND i.arm_region = h.arm_region
    AND i.reservation_scope = h.reservation_scope
    AND i.product_id = h.product_id
    AND i.sku_id = h.sku_id
WHERE h.kind = 'newly_restricted' AND NOT h.suspect
ORDER BY h.business_date DESC, p.partner_name, company_name, region, sku_title, h.event_id
