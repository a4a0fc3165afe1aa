-- Renewals that would buy a SKU that cannot be bought, the earliest first.
-- Grain: one commerce subscription.
-- Reads: reported.
SELECT
    r.partner_name AS partner, w.customer_id, w.company_name, w.offer_name, w.quantity,
    w.term_duration, w.term_ends_at, w.end_action, w.bought_product_id, w.bought_sku_id,
    w.sku_title, w.verdict
FROM renewal_at_risk AS w
INNER JOIN reported AS r ON r.partner_tenant_id = w.partner_tenant_id AND r.is_head
ORDER BY w.term_ends_at, r.partner_name, w.company_name, w.customer_id, w.commerce_subscription_id;
