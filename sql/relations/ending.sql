-- The relation ending: the verdicts that ended with this snapshot, and whose end no change records.
-- Grain: one inventory key.
-- Reads: this, cell, known_inventory, observed_inventory, changed, ended.
-- A key that is dropped ends when the run began, because the run proved that nothing is to be asked.
-- If another run got a later answer for a key whose cell has left, the key ends with that answer.
WITH left_behind AS (
    SELECT k.*, greatest(this.started_at, k.checked_at) AS ended_at, 'left' AS ended_by
    FROM known_inventory AS k
    SEMI JOIN cell AS c
        ON c.customer_id = k.customer_id AND c.country = k.country AND c.status = 'left'
    CROSS JOIN this
),
over AS (
    SELECT
        o.*,
        CASE o.fate
            WHEN 'dropped' THEN this.started_at WHEN 'gone' THEN o.gone_at ELSE o.answer_at
        END AS ended_at,
        CASE o.fate
            WHEN 'gone' THEN 'left_catalog'
            WHEN 'answer' THEN 'changed'
            ELSE COALESCE((
                SELECT min(e.ended_by) FROM ended AS e
                WHERE e.customer_id = o.customer_id
                AND e.country IN ('*', o.country)
                AND e.azure_subscription_id IN ('*', o.azure_subscription_id)
            ), 'not_asked')
        END AS ended_by
    FROM observed_inventory AS o
    CROSS JOIN this
    WHERE o.fate = 'dropped'
        OR (o.fate = 'gone' AND o.known_verdict <> 'not_in_catalog')
        OR (o.fate = 'answer' AND o.known_verdict <> o.answer_verdict)
),
untold AS (
    SELECT o.*
    FROM over AS o
    ANTI JOIN (FROM changed WHERE subject = 'inventory') AS c
        ON c.customer_id = o.customer_id
        AND c.country = o.country
        AND c.azure_subscription_id = o.azure_subscription_id
        AND c.arm_region = o.arm_region
        AND c.reservation_scope = o.reservation_scope
        AND c.product_id = o.product_id
        AND c.sku_id = o.sku_id
)
SELECT
    this.snapshot_id,
    this.partner_tenant_id,
    u.customer_id,
    u.country,
    u.azure_subscription_id,
    u.arm_region,
    u.reservation_scope,
    u.product_id,
    u.sku_id,
    u.known_verdict AS verdict,
    u.known_reason_codes AS reason_codes,
    u.known_restriction_values AS restriction_values,
    u.known_since_at AS verdict_since_at,
    u.known_since_snapshot_id AS verdict_since_snapshot_id,
    u.ended_at,
    u.ended_by
FROM untold AS u
CROSS JOIN this
UNION ALL
SELECT
    this.snapshot_id,
    this.partner_tenant_id,
    l.customer_id,
    l.country,
    l.azure_subscription_id,
    l.arm_region,
    l.reservation_scope,
    l.product_id,
    l.sku_id,
    l.verdict,
    l.reason_codes,
    l.restriction_values,
    l.verdict_since_at,
    l.verdict_since_snapshot_id,
    l.ended_at,
    l.ended_by
FROM left_behind AS l
CROSS JOIN this;
