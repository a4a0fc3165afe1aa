-- The inventory changes from one snapshot to another, for keys that both hold.
-- Grain: one key whose verdict, codes or values differ.
-- Binds: before, after (ids of snapshots).
-- With before and after exchanged, it returns the same keys with the opposite kinds.
WITH pairs AS (
    SELECT
        b.*,
        a.verdict AS verdict_after,
        a.reason_codes AS reason_codes_after,
        a.restriction_values AS restriction_values_after,
        a.checked_at AS after_at,
        change_kind(
            b.verdict, a.verdict, b.reason_codes, a.reason_codes, b.restriction_values,
            a.restriction_values
        ) AS kind
    FROM inventory AS b
    INNER JOIN inventory AS a
        ON a.partner_tenant_id = b.partner_tenant_id
        AND a.customer_id = b.customer_id
        AND a.country = b.country
        AND a.azure_subscription_id = b.azure_subscription_id
        AND a.arm_region = b.arm_region
        AND a.reservation_scope = b.reservation_scope
        AND a.product_id = b.product_id
        AND a.sku_id = b.sku_id
    WHERE b.snapshot_id = $before AND a.snapshot_id = $after
)
SELECT
    sha256(CAST(json_array(
        p.partner_tenant_id, 'inventory', p.kind, p.customer_id, p.country,
        p.azure_subscription_id, p.arm_region, p.reservation_scope, p.product_id, p.sku_id,
        $before, $after
    ) AS VARCHAR)) AS event_id,
    s.snapshot_id,
    s.business_date,
    'inventory' AS subject,
    p.kind,
    p.partner_tenant_id,
    p.customer_id,
    p.country,
    p.azure_subscription_id,
    p.arm_region,
    p.reservation_scope,
    p.product_id,
    p.sku_id,
    '' AS segment,
    '' AS term_duration,
    '' AS billing_cycle,
    CAST(0 AS BIGINT) AS ordinal,
    p.verdict AS verdict_before,
    p.verdict_after,
    p.reason_codes AS reason_codes_before,
    p.reason_codes_after,
    p.restriction_values AS restriction_values_before,
    p.restriction_values_after,
    '{}' AS detail,
    $before AS before_snapshot_id,
    p.checked_at AS before_at,
    p.after_at,
    CAST(0 AS BIGINT) AS gap_snapshots,
    false AS suspect,
    CAST(1 AS BIGINT) AS affected_customers
FROM pairs AS p
INNER JOIN snapshot AS s ON s.snapshot_id = $after
WHERE p.kind IS NOT NULL;
