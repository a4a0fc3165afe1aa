-- What one customer can buy or not, each key with what the catalog says of its SKU.
-- Grain: one inventory key of the customer.
-- Binds: customer_id.
-- generation: the number after `_v` in the name of the size; a size without one is of the first.
SELECT
    i.partner_tenant_id, i.customer_id, i.company_name, i.country, i.azure_subscription_id,
    i.reservation_scope, i.arm_region, i.product_id, i.sku_id, i.product_title, i.sku_title,
    i.arm_sku_name, lower(COALESCE(NULLIF(i.region, ''), s.region, '')) AS region,
    i.verdict, i.reason_codes, i.pending_verdict, i.verdict_since_at, i.checked_at, i.is_stale,
    i.answer_age_hours,
    COALESCE(s.term_duration, '') AS term_duration,
    COALESCE(s.flexibility_group, '') AS flexibility_group,
    TRY_CAST(s.flexibility_ratio AS double) AS ratio,
    s.cores, s.ram_gb, s.sku_id IS NOT NULL AS is_listed,
    COALESCE(TRY_CAST(NULLIF(regexp_extract(i.arm_sku_name, '_v([0-9]+)$', 1), '') AS integer), 1)
        AS generation
FROM latest_inventory AS i
LEFT JOIN current_sku AS s
    ON s.partner_tenant_id = i.partner_tenant_id
    AND s.country = i.country
    AND s.reservation_scope = i.reservation_scope
    AND s.product_id = i.product_id
    AND s.sku_id = i.sku_id
WHERE i.customer_id = $customer_id;
