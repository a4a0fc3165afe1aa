-- The changes among the keys of one bucket. Only an answer makes a change.
-- Grain: one key that changed.
-- Reads: this, cell, observed_inventory, observed_availability, catalog_absence,
--        new_subscription, new_sku, awaited.
-- If the catalog reported a SKU gone and then back, its keys get no `entered_catalog` of their own,
-- unless they return restricted or not purchasable. Such keys are recognised by their times: see
-- is_catalogs_own.
CREATE OR REPLACE TEMP TABLE changed AS
WITH inventory_seen AS (
    SELECT
        o.*,
        CASE
            WHEN o.known_verdict IS NULL THEN CASE
                WHEN o.answer_verdict = 'restricted' AND NOT c.is_baseline AND (
                    EXISTS (
                        FROM new_subscription AS n
                        WHERE n.customer_id = o.customer_id
                        AND n.azure_subscription_id = o.azure_subscription_id
                    ) OR EXISTS (
                        FROM new_sku AS n
                        WHERE n.country = o.country
                        AND n.reservation_scope = o.reservation_scope
                        AND n.product_id = o.product_id AND n.sku_id = o.sku_id
                    ) OR EXISTS (
                        FROM awaited AS w
                        WHERE w.customer_id = o.customer_id AND w.country = o.country
                        AND w.azure_subscription_id = o.azure_subscription_id
                        AND w.arm_region IN ('', o.arm_region)
                        AND w.reservation_scope = o.reservation_scope
                        AND w.product_id IN ('', o.product_id) AND w.sku_id IN ('', o.sku_id)
                    )
                ) THEN 'first_seen_restricted'
            END
            WHEN o.known_verdict = 'not_in_catalog' AND o.answer_verdict <> 'restricted'
                AND EXISTS (
                    FROM catalog_absence AS x
                    WHERE x.country = o.country AND x.reservation_scope = o.reservation_scope
                    AND x.product_id = o.product_id AND x.sku_id = o.sku_id
                    AND is_catalogs_own(o.known_since_at, o.known_at, x.gone_at, x.until_at)
                ) THEN NULL
            ELSE change_kind(
                o.known_verdict, o.answer_verdict, o.known_reason_codes, o.answer_reason_codes,
                o.known_restriction_values, o.answer_restriction_values
            )
        END AS kind
    FROM observed_inventory AS o
    INNER JOIN cell AS c ON c.customer_id = o.customer_id AND c.country = o.country
    WHERE o.fate IN ('answer', 'suspect')
),
availability_seen AS (
    SELECT
        o.*,
        COALESCE(o.answer.verdict, 'not_in_catalog') AS verdict,
        COALESCE(o.answer.checked_at, o.settled_at) AS seen_at
    FROM observed_availability AS o
    WHERE o.fate IN ('answer', 'absent', 'suspect') AND o.known.verdict IS NOT NULL
),
availability_changed AS (
    SELECT
        s.*,
        CASE WHEN s.known.verdict = 'not_in_catalog' AND s.verdict = 'purchasable' AND EXISTS (
            FROM catalog_absence AS x
            WHERE x.country = s.country AND x.reservation_scope = s.reservation_scope
            AND x.product_id = s.product_id AND x.sku_id = s.sku_id
            AND is_catalogs_own(
                s.known.verdict_since_at, s.known.checked_at, x.gone_at, x.until_at
            )
        ) THEN NULL ELSE COALESCE(
            change_kind(s.known.verdict, s.verdict, '', '', '', ''),
            CASE WHEN s.fate = 'answer' AND s.verdict <> 'not_in_catalog' AND (
                s.known.is_renewable IS DISTINCT FROM s.answer.is_renewable
                OR s.known.renew_to IS DISTINCT FROM s.answer.renew_to
                OR s.known.currency IS DISTINCT FROM s.answer.currency
            ) THEN 'terms_changed' END
        ) END AS kind
    FROM availability_seen AS s
)
SELECT
    'inventory' AS subject,
    kind,
    customer_id,
    country,
    azure_subscription_id,
    arm_region,
    reservation_scope,
    product_id,
    sku_id,
    '' AS segment,
    '' AS term_duration,
    '' AS billing_cycle,
    0 AS ordinal,
    COALESCE(known_verdict, '') AS verdict_before,
    answer_verdict AS verdict_after,
    COALESCE(known_reason_codes, '') AS reason_codes_before,
    answer_reason_codes AS reason_codes_after,
    lower(COALESCE(known_restriction_values, '')) AS restriction_values_before,
    answer_restriction_values AS restriction_values_after,
    CASE WHEN known_since_at IS NULL THEN '{}' ELSE
        '{"verdict_since_at":"' || strftime(known_since_at, '%Y-%m-%dT%H:%M:%S.%fZ') || '"}'
    END AS detail,
    COALESCE(known_snapshot_id, '') AS before_snapshot_id,
    known_at AS before_at,
    answer_at AS after_at,
    1 AS affected_customers,
    fate = 'suspect' AS suspect
FROM inventory_seen
WHERE kind IS NOT NULL
UNION ALL
SELECT
    'availability',
    kind,
    customer_id,
    country,
    '',
    '',
    reservation_scope,
    product_id,
    sku_id,
    segment,
    term_duration,
    billing_cycle,
    ordinal,
    known.verdict,
    verdict,
    '',
    '',
    '',
    '',
    '{"verdict_since_at":"' || strftime(known.verdict_since_at, '%Y-%m-%dT%H:%M:%S.%fZ') || '"'
        || CASE WHEN kind = 'terms_changed' THEN
            ',"before":' || json_object(
                'is_renewable', known.is_renewable, 'renew_to', known.renew_to,
                'currency', known.currency
            ) || ',"after":' || json_object(
                'is_renewable', answer.is_renewable, 'renew_to', answer.renew_to,
                'currency', answer.currency
            ) ELSE '' END || '}',
    known.checked_snapshot_id,
    known.checked_at,
    seen_at,
    CASE WHEN customer_id = '' THEN 0 ELSE 1 END,
    fate = 'suspect'
FROM availability_changed
WHERE kind IS NOT NULL;
