-- The availability changes from one snapshot to another, for keys that both hold.
-- Grain: one key whose verdict or terms differ.
-- Binds: before, after (ids of snapshots).
WITH pairs AS (
    SELECT
        b.*,
        a.verdict AS verdict_after,
        a.checked_at AS after_at,
        COALESCE(
            change_kind(b.verdict, a.verdict, '', '', '', ''),
            CASE WHEN a.verdict <> 'not_in_catalog' AND b.verdict <> 'not_in_catalog' AND (
                a.is_renewable IS DISTINCT FROM b.is_renewable
                OR a.renew_to IS DISTINCT FROM b.renew_to
                OR a.currency IS DISTINCT FROM b.currency
            ) THEN 'terms_changed' END
        ) AS kind
    FROM availability AS b
    INNER JOIN availability AS a
        ON a.partner_tenant_id = b.partner_tenant_id
        AND a.customer_id = b.customer_id
        AND a.country = b.country
        AND a.product_id = b.product_id
        AND a.sku_id = b.sku_id
        AND a.segment = b.segment
        AND a.reservation_scope = b.reservation_scope
        AND a.term_duration = b.term_duration
        AND a.billing_cycle = b.billing_cycle
        AND a.ordinal = b.ordinal
    WHERE b.snapshot_id = $before AND a.snapshot_id = $after
)
SELECT
    sha256(CAST(json_array(
        p.partner_tenant_id, 'availability', p.kind, p.customer_id, p.country,
        p.product_id, p.sku_id, p.segment, p.reservation_scope, p.term_duration,
        p.billing_cycle, p.ordinal, $before, $after
    ) AS VARCHAR)) AS event_id,
    s.snapshot_id,
    s.business_date,
    'availability' AS subject,
    p.kind,
    p.partner_tenant_id,
    p.customer_id,
    p.country,
    '' AS azure_subscription_id,
    '' AS arm_region,
    p.reservation_scope,
    p.product_id,
    p.sku_id,
    p.segment,
    p.term_duration,
    p.billing_cycle,
    p.ordinal,
    p.verdict AS verdict_before,
    p.verdict_after,
    '' AS reason_codes_before,
    '' AS reason_codes_after,
    '' AS restriction_values_before,
    '' AS restriction_values_after,
    '{}' AS detail,
    $before AS before_snapshot_id,
    p.checked_at AS before_at,
    p.after_at,
    CAST(0 AS BIGINT) AS gap_snapshots,
    false AS suspect,
    CAST(CASE WHEN p.customer_id = '' THEN 0 ELSE 1 END AS BIGINT) AS affected_customers
FROM pairs AS p
INNER JOIN snapshot AS s ON s.snapshot_id = $after
WHERE p.kind IS NOT NULL;
