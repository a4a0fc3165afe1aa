-- What is known of some SKUs for each customer, and the checks of them without an answer.
-- Grain: one key, or one check without an answer whose keys are all unknown.
-- Reads: asked_sku (the SKUs). Binds: products (their ids, which the scan is narrowed to); region in
-- lower case, '' for every region.
-- verdict: `unknown` for a check without an answer; outcome and reason say why. A check that has
-- a key from an earlier answer is that key's row: is_stale is then true.
WITH known AS MATERIALIZED (
    SELECT
        'inventory' AS kind, i.partner_tenant_id, i.customer_id, i.company_name, i.country,
        i.azure_subscription_id, i.region, i.arm_region, i.reservation_scope,
        i.product_id, i.sku_id, i.product_title, i.sku_title, i.arm_sku_name,
        '' AS segment, '' AS term_duration, '' AS billing_cycle,
        i.verdict, i.reason_codes, i.restriction_values, i.verdict_since_at, i.checked_at,
        i.is_stale, i.answer_age_hours, i.customer_key, i.sku_key, i.inventory_key
    FROM latest_inventory AS i
    SEMI JOIN asked_sku AS k ON k.product_id = i.product_id AND k.sku_id = i.sku_id
    WHERE list_contains($products, i.product_id) AND ($region = '' OR lower(i.region) = $region)
    UNION ALL
    SELECT
        'availability', a.partner_tenant_id, a.customer_id, a.company_name,
        COALESCE(NULLIF(a.country, ''), a.market, ''),
        '', '', '', a.reservation_scope,
        a.product_id, a.sku_id, a.product_title, a.sku_title, a.arm_sku_name,
        a.segment, a.term_duration, a.billing_cycle,
        a.verdict, '', '', a.verdict_since_at, a.checked_at,
        a.is_stale, a.answer_age_hours, a.customer_key, a.sku_key, a.inventory_key
    FROM latest_availability AS a
    SEMI JOIN asked_sku AS k ON k.product_id = a.product_id AND k.sku_id = a.sku_id
    WHERE list_contains($products, a.product_id) AND $region = ''
),
silent AS (
    SELECT o.*
    FROM current_check_outcome AS o
    WHERE
        o.outcome IN ('failed', 'skipped')
        AND o.kind IN (SELECT w.kind FROM known AS w)
        AND (
            o.product_id = ''
            OR o.product_id IN (SELECT k.product_id FROM asked_sku AS k)
            AND (
                o.sku_id = ''
                OR o.sku_id IN (SELECT k.sku_id FROM asked_sku AS k WHERE k.product_id = o.product_id)
            )
        )
        AND ($region = '' OR o.arm_region IN ('', $region))
        AND NOT EXISTS (
            SELECT 1 FROM known AS w
            WHERE
                w.kind = o.kind
                AND w.partner_tenant_id = o.partner_tenant_id
                AND w.customer_id = o.customer_id
                AND (o.country = '' OR w.country = o.country)
                AND (o.azure_subscription_id = '' OR w.azure_subscription_id = o.azure_subscription_id)
                AND (o.arm_region = '' OR w.arm_region = o.arm_region)
                AND (o.product_id = '' OR w.product_id = o.product_id)
                AND (o.sku_id = '' OR w.sku_id = o.sku_id)
        )
)
SELECT p.partner_name, w.*, '' AS outcome, '' AS reason
FROM known AS w
INNER JOIN partner_now AS p ON p.partner_tenant_id = w.partner_tenant_id
UNION ALL BY NAME
SELECT
    p.partner_name, o.kind, o.partner_tenant_id, o.customer_id,
    COALESCE(c.company_name, '') AS company_name, o.country,
    o.azure_subscription_id, o.arm_region AS region, o.arm_region, o.reservation_scope,
    o.product_id, o.sku_id,
    COALESCE(n.product_title, '') AS product_title, COALESCE(n.sku_title, '') AS sku_title,
    COALESCE(n.arm_sku_name, '') AS arm_sku_name,
    '' AS segment, '' AS term_duration, '' AS billing_cycle,
    'unknown' AS verdict, '' AS reason_codes, '' AS restriction_values, false AS is_stale,
    o.partner_tenant_id || '|' || o.customer_id AS customer_key,
    o.outcome, o.reason
FROM silent AS o
INNER JOIN partner_now AS p ON p.partner_tenant_id = o.partner_tenant_id
LEFT JOIN current_customer AS c
    ON c.partner_tenant_id = o.partner_tenant_id AND c.customer_id = o.customer_id
LEFT JOIN sku_name AS n
    ON n.partner_tenant_id = o.partner_tenant_id
    AND n.product_id = o.product_id
    AND n.sku_id = o.sku_id;
