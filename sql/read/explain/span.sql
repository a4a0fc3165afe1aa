-- What was known of some keys of one customer over time.
-- Grain: one key and interval with one verdict, one gap between two intervals, or one check that had
-- no answer.
-- Reads: asked_sku. Binds: customer_id; region in lower case, '' for every region.
-- kind: `interval`; `gap` (the key was not there: ended_by says why); `no_answer` (the verdict is
-- what was known, and reason says why there is no answer).
-- An availability has only the interval that lasts: its earlier ones are in the relation `change`.
WITH interval_row AS (
    SELECT
        t.partner_tenant_id, t.customer_id, t.country, t.azure_subscription_id, t.arm_region,
        t.reservation_scope, t.product_id, t.sku_id, t.company_name, t.product_title,
        t.sku_title, t.arm_sku_name, t.region, '' AS term_duration, '' AS billing_cycle,
        '' AS segment, t.verdict, t.reason_codes, t.restriction_values, t.valid_from, t.valid_to,
        t.ended_by, t.snapshot_id, t.inventory_key AS key_name, 'inventory' AS subject
    FROM restriction_timeline AS t
    WHERE
        t.customer_id = $customer_id
        AND t.product_id IN (SELECT k.product_id FROM asked_sku AS k)
        AND t.sku_id IN (SELECT k.sku_id FROM asked_sku AS k WHERE k.product_id = t.product_id)
        AND ($region = '' OR lower(t.region) = $region)
    UNION ALL
    SELECT
        a.partner_tenant_id, a.customer_id, a.country, '', '', a.reservation_scope, a.product_id,
        a.sku_id, a.company_name, a.product_title, a.sku_title, a.arm_sku_name, '',
        a.term_duration, a.billing_cycle, a.segment, a.verdict, '', '', a.verdict_since_at,
        CAST(NULL AS timestamptz), '', a.verdict_since_snapshot_id,
        a.inventory_key || '|' || a.segment || '|' || a.term_duration || '|' || a.billing_cycle
        || '|' || a.ordinal, 'availability'
    FROM latest_availability AS a
    WHERE
        a.customer_id = $customer_id
        AND a.product_id IN (SELECT k.product_id FROM asked_sku AS k)
        AND a.sku_id IN (SELECT k.sku_id FROM asked_sku AS k WHERE k.product_id = a.product_id)
        AND $region = ''
),
outcome AS (
    SELECT o.*, s.started_at
    FROM check_outcome AS o
    INNER JOIN snapshot AS s ON s.snapshot_id = o.snapshot_id
    WHERE o.customer_id = $customer_id AND o.kind IN ('inventory', 'availability')
),
proven AS (
    SELECT
        i.*, o.outcome, o.request_id, o.correlation_id, o.checked_at,
        CASE
            WHEN o.check_id IS NOT NULL THEN 'kept'
            WHEN i.snapshot_id IN (SELECT h.snapshot_id FROM outcome AS h) THEN 'not_checked'
            ELSE 'pruned'
        END AS proof
    FROM interval_row AS i
    LEFT JOIN outcome AS o
        ON o.snapshot_id = i.snapshot_id
        AND o.kind = i.subject
        AND o.outcome = 'answered'
        AND o.partner_tenant_id = i.partner_tenant_id
        AND o.country IN ('', i.country)
        AND o.azure_subscription_id = i.azure_subscription_id
        AND o.arm_region = i.arm_region
        AND o.product_id = i.product_id
        AND o.sku_id IN ('', i.sku_id)
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY i.key_name, i.valid_from ORDER BY o.sku_id DESC NULLS LAST
    ) = 1
),
named_key AS (
    SELECT * FROM interval_row QUALIFY ROW_NUMBER() OVER (PARTITION BY key_name ORDER BY valid_from DESC) = 1
),
unanswered_row AS (
    SELECT
        k.* EXCLUDE (verdict, reason_codes, restriction_values, valid_from, valid_to, ended_by, snapshot_id),
        COALESCE(o.checked_at, o.started_at) AS valid_from, o.snapshot_id, o.outcome, o.reason,
        o.request_id, o.correlation_id, o.checked_at
    FROM named_key AS k
    INNER JOIN outcome AS o
        ON o.kind = k.subject
        AND o.outcome IN ('failed', 'skipped')
        AND o.partner_tenant_id = k.partner_tenant_id
        AND o.country IN ('', k.country)
        AND o.azure_subscription_id IN ('', k.azure_subscription_id)
        AND o.arm_region IN ('', k.arm_region)
        AND o.product_id IN ('', k.product_id)
        AND o.sku_id IN ('', k.sku_id)
),
following AS (
    SELECT
        i.*,
        LEAD(i.valid_from) OVER (PARTITION BY i.key_name ORDER BY i.valid_from) AS next_from
    FROM interval_row AS i
),
every AS (
    SELECT 'interval' AS kind, p.* FROM proven AS p
    UNION ALL BY NAME
    SELECT
        'gap' AS kind,
        f.* EXCLUDE (verdict, reason_codes, restriction_values, valid_from, valid_to, snapshot_id, next_from),
        f.valid_to AS valid_from, f.next_from AS valid_to
    FROM following AS f
    WHERE f.valid_to < f.next_from OR (f.valid_to IS NOT NULL AND f.next_from IS NULL)
    UNION ALL BY NAME
    SELECT 'no_answer' AS kind, u.* FROM unanswered_row AS u
)
SELECT
    e.kind, e.company_name, e.customer_id, e.country, e.azure_subscription_id, e.region,
    e.product_id, e.sku_id, e.product_title, e.sku_title, e.arm_sku_name, e.segment,
    COALESCE(NULLIF(e.term_duration, ''), k.term_duration, '') AS term_duration, e.billing_cycle,
    COALESCE(e.verdict, '') AS verdict, COALESCE(e.reason_codes, '') AS reason_codes,
    COALESCE(e.restriction_values, '') AS restriction_values, e.valid_from, e.valid_to,
    COALESCE(e.ended_by, '') AS ended_by, COALESCE(e.outcome, '') AS outcome,
    COALESCE(e.reason, '') AS reason, COALESCE(e.snapshot_id, '') AS snapshot_id,
    COALESCE(e.proof, '') AS proof, COALESCE(e.request_id, '') AS request_id,
    COALESCE(e.correlation_id, '') AS correlation_id, e.checked_at, e.subject, e.arm_region,
    e.reservation_scope, e.partner_tenant_id, e.key_name
FROM every AS e
LEFT JOIN asked_sku AS k ON k.product_id = e.product_id AND k.sku_id = e.sku_id
ORDER BY e.key_name, e.valid_from, e.kind;
