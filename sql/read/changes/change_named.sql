-- Changes with the names of their customer, product, SKU and region.
-- Grain: one change.
-- Binds: kinds (empty: all); customer, partner, country, region, product, sku, subscription (null:
-- all).
-- A change of what a customer can buy in any country (country '') is of the customer's own country.
-- Reads: change_row (rows of the relation change, from any source).
SELECT
    c.*,
    COALESCE(u.company_name, '') AS company_name,
    COALESCE(n.product_title, '') AS product_title,
    COALESCE(n.sku_title, '') AS sku_title,
    COALESCE(n.arm_sku_name, '') AS arm_sku_name,
    COALESCE(NULLIF(c.arm_region, ''), n.region, '') AS region,
    COALESCE(n.family, '') AS family
FROM change_row AS c
LEFT JOIN current_customer AS u
    ON u.partner_tenant_id = c.partner_tenant_id AND u.customer_id = c.customer_id
LEFT JOIN sku_name AS n
    ON n.partner_tenant_id = c.partner_tenant_id
    AND n.product_id = c.product_id
    AND n.sku_id = c.sku_id
WHERE
    (len(CAST($kinds AS VARCHAR[])) = 0 OR list_contains(CAST($kinds AS VARCHAR[]), c.kind))
    AND (CAST($customer AS VARCHAR) IS NULL OR c.customer_id = CAST($customer AS VARCHAR))
    AND (CAST($partner AS VARCHAR) IS NULL OR c.partner_tenant_id = CAST($partner AS VARCHAR))
    AND (
        CAST($country AS VARCHAR) IS NULL
        OR COALESCE(NULLIF(c.country, ''), u.country) = CAST($country AS VARCHAR)
    )
    AND (
        CAST($region AS VARCHAR) IS NULL
        OR COALESCE(NULLIF(c.arm_region, ''), n.region, '') = CAST($region AS VARCHAR)
    )
    AND (CAST($product AS VARCHAR) IS NULL OR c.product_id = CAST($product AS VARCHAR))
    AND (CAST($sku AS VARCHAR) IS NULL OR c.sku_id = CAST($sku AS VARCHAR))
    AND (
        CAST($subscription AS VARCHAR) IS NULL
        OR c.azure_subscription_id = CAST($subscription AS VARCHAR)
    )
ORDER BY
    c.partner_tenant_id, c.subject, c.kind, c.customer_id, c.country, c.azure_subscription_id,
    c.arm_region, c.reservation_scope, c.product_id, c.sku_id, c.segment, c.term_duration,
    c.billing_cycle, c.ordinal, c.event_id;
