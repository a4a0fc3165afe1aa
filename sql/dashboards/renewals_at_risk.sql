-- The renewals of the next 90 days that would buy a SKU that cannot be bought, the earliest first.
-- Grain: one commerce subscription.
-- days_left: whole days from the partner's newest publication to the end of the term.
SELECT
    p.partner_name,
    COALESCE(r.reseller_id, '') AS reseller_id,
    r.customer_id,
    r.company_name,
    r.offer_name,
    r.quantity,
    r.term_duration,
    r.billing_cycle,
    r.term_ends_at,
    CAST(
        FLOOR(EXTRACT(EPOCH FROM (r.term_ends_at - p.newest_published_at)) / 86400) AS integer
    ) AS days_left,
    r.end_action,
    r.bought_product_id,
    r.bought_sku_id,
    r.sku_title,
    r.verdict,
    r.checked_at,
    r.commerce_subscription_id
FROM renewal_at_risk AS r
INNER JOIN dim_partner AS p ON p.partner_tenant_id = r.partner_tenant_id
ORDER BY r.term_ends_at, p.partner_name, r.company_name, r.customer_id, r.commerce_subscription_id
