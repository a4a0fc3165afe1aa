-- The rows of customers that cannot buy the SKUs, or of whom that is not known.
-- Grain: one key, or one check without an answer.
-- Reads: affected_key (the rows of read/affected/key), asked_sku. The term of a reservation is that
-- of its SKU. What is known stands first, and of that what is restricted.
SELECT
    a.partner_name, a.customer_id, a.company_name, a.country, a.azure_subscription_id, a.region,
    a.product_id, a.sku_id, a.product_title, a.sku_title, a.arm_sku_name, a.segment,
    COALESCE(NULLIF(a.term_duration, ''), k.term_duration, '') AS term_duration, a.billing_cycle,
    a.verdict, a.reason_codes, a.restriction_values, a.verdict_since_at, a.checked_at, a.is_stale,
    a.answer_age_hours, a.outcome, a.reason, a.kind, a.partner_tenant_id, a.arm_region,
    a.reservation_scope, a.customer_key, a.sku_key, a.inventory_key
FROM affected_key AS a
LEFT JOIN asked_sku AS k ON k.product_id = a.product_id AND k.sku_id = a.sku_id
WHERE a.is_stale OR a.verdict NOT IN ('unrestricted', 'purchasable')
ORDER BY
    a.verdict = 'unknown', a.is_stale, a.company_name, a.customer_id, a.partner_name, a.country,
    a.azure_subscription_id, a.region, a.product_id, a.sku_id, a.segment, term_duration,
    a.billing_cycle;
