-- What is known of the availabilities that one customer can buy from.
-- Grain: one partner, product, SKU and term of the customer, or of its country.
-- Binds: customer_id.
-- verdict: that of the best availability. An availability by country counts for its country only.
SELECT
    a.partner_tenant_id, a.country, a.product_id, a.sku_id, a.term_duration,
    MAX(a.product_title) AS product_title, MAX(a.sku_title) AS sku_title,
    MIN(a.verdict_since_at) AS verdict_since_at, MIN(a.checked_at) AS checked_at,
    MIN(a.answer_age_hours) AS answer_age_hours,
    BOOL_AND(a.is_stale) AS is_stale,
    CASE
        WHEN BOOL_OR(a.verdict = 'purchasable' AND COALESCE(a.pending_verdict, '') = '')
            THEN 'purchasable'
        WHEN BOOL_OR(a.verdict = 'not_purchasable') THEN 'not_purchasable'
        ELSE MIN(a.verdict)
    END AS verdict
FROM latest_availability AS a
WHERE a.customer_id IN ($customer_id, '')
GROUP BY a.partner_tenant_id, a.country, a.product_id, a.sku_id, a.term_duration;
