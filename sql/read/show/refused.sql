-- What a customer cannot buy now: restricted reservations, licences that are not purchasable, and
-- both where the catalog lacks them.
-- Grain: one inventory or availability key.
-- Binds: customer_id.
SELECT
    'inventory' AS kind, i.customer_id, i.azure_subscription_id, i.country, i.region, i.product_id,
    i.sku_id, i.product_title, i.sku_title, i.arm_sku_name,
    COALESCE(s.term_duration, '') AS term_duration, '' AS billing_cycle, '' AS segment, i.verdict,
    i.reason_codes, i.restriction_values, i.verdict_since_at, i.checked_at, i.is_stale,
    i.answer_age_hours
FROM latest_inventory AS i
LEFT JOIN current_sku AS s
    ON s.partner_tenant_id = i.partner_tenant_id
    AND s.country = i.country
    AND s.reservation_scope = i.reservation_scope
    AND s.product_id = i.product_id
    AND s.sku_id = i.sku_id
WHERE i.customer_id = $customer_id AND i.verdict <> 'unrestricted'
UNION ALL
SELECT
    'availability', a.customer_id, '', a.country, '', a.product_id, a.sku_id, a.product_title,
    a.sku_title, a.arm_sku_name, a.term_duration, a.billing_cycle, a.segment, a.verdict, '', '',
    a.verdict_since_at, a.checked_at, a.is_stale, a.answer_age_hours
FROM latest_availability AS a
WHERE a.customer_id = $customer_id AND a.verdict <> 'purchasable'
ORDER BY kind DESC, region, arm_sku_name, sku_title, term_duration, azure_subscription_id, billing_cycle;
