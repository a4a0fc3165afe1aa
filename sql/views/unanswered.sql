-- The checks that should have an answer and got no usable answer.
-- Grain: one check that failed or was skipped in the newest snapshot of its cell.
-- A check of a whole product has sku_id ''. If a check was skipped because a listing failed, the
-- columns that the listing would have given are ''.
-- since: the time of the oldest answer among the keys that the check covers, null if it has none.
-- reason_key: the reason in lower case, without the name of the failed listing it begins with.
-- A check of a whole product has no sku_key and no inventory_key: they are ''.
CREATE VIEW unanswered AS
WITH answered AS (
    SELECT
        'inventory' AS kind, partner_tenant_id, customer_id, country, azure_subscription_id,
        arm_region, reservation_scope, product_id, sku_id, checked_at
    FROM current_inventory
    UNION ALL
    SELECT
        'availability', partner_tenant_id, customer_id, country, '', '', reservation_scope,
        product_id, sku_id, checked_at
    FROM current_availability
),
at_each_width AS (
    SELECT
        kind, partner_tenant_id, customer_id, country, azure_subscription_id, arm_region,
        reservation_scope, product_id, sku_id, checked_at
    FROM answered
    UNION ALL
    SELECT
        kind, partner_tenant_id, customer_id, country, azure_subscription_id, arm_region,
        reservation_scope, product_id, '', checked_at
    FROM answered
    UNION ALL
    SELECT
        kind, partner_tenant_id, customer_id, country, azure_subscription_id, '', '', '', '',
        checked_at
    FROM answered
    UNION ALL
    SELECT kind, partner_tenant_id, customer_id, country, '', '', '', '', '', checked_at
    FROM answered
),
last_answer AS (
    SELECT
        kind, partner_tenant_id, customer_id, country, azure_subscription_id, arm_region,
        reservation_scope, product_id, sku_id, MIN(checked_at) AS since
    FROM at_each_width
    GROUP BY
        kind, partner_tenant_id, customer_id, country, azure_subscription_id, arm_region,
        reservation_scope, product_id, sku_id
)
SELECT
    o.kind, o.partner_tenant_id, o.customer_id, o.country, o.azure_subscription_id, o.arm_region,
    o.reservation_scope, o.product_id, o.sku_id,
    COALESCE(c.company_name, '') AS company_name,
    COALESCE(n.product_title, '') AS product_title,
    COALESCE(n.sku_title, '') AS sku_title,
    COALESCE(n.arm_sku_name, '') AS arm_sku_name,
    o.outcome, o.reason, o.http_status, o.error_code, o.request_id, o.correlation_id, o.attempts,
    o.snapshot_id, o.check_id,
    l.since,
    o.partner_tenant_id || '|' || o.customer_id AS customer_key,
    COALESCE(NULLIF(o.arm_region, ''), n.region, '') AS region,
    CASE
        WHEN o.product_id = '' OR o.sku_id = '' THEN ''
        ELSE o.partner_tenant_id || '|' || o.country || '|' || o.reservation_scope || '|'
            || o.product_id || ':' || o.sku_id
    END AS sku_key,
    CASE
        WHEN o.kind = 'listing' OR o.product_id = '' OR o.sku_id = '' THEN ''
        ELSE o.partner_tenant_id || '|' || o.customer_id || '|' || o.country || '|'
            || o.azure_subscription_id || '|' || o.arm_region || '|' || o.reservation_scope || '|'
            || o.product_id || ':' || o.sku_id
    END AS inventory_key,
    lower(regexp_replace(COALESCE(o.reason, ''), '^.*: ', '')) AS reason_key
FROM current_check_outcome AS o
LEFT JOIN last_answer AS l
    ON l.kind = o.kind
    AND l.partner_tenant_id = o.partner_tenant_id
    AND l.customer_id = o.customer_id
    AND l.country = o.country
    AND l.azure_subscription_id = o.azure_subscription_id
    AND l.arm_region = CASE WHEN o.product_id = '' THEN '' ELSE o.arm_region END
    AND l.reservation_scope = CASE WHEN o.product_id = '' THEN '' ELSE o.reservation_scope END
    AND l.product_id = o.product_id
    AND l.sku_id = o.sku_id
LEFT JOIN current_customer AS c
    ON c.partner_tenant_id = o.partner_tenant_id AND c.customer_id = o.customer_id
LEFT JOIN sku_name AS n
    ON n.partner_tenant_id = o.partner_tenant_id
    AND n.product_id = o.product_id
    AND n.sku_id = o.sku_id
WHERE o.outcome IN ('failed', 'skipped');
