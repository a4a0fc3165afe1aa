-- The verdicts of each inventory key over time, as if each snapshot had been read and noted down.
-- Grain: one inventory key and interval. valid_to is null and ended_by '' while the interval lasts.
-- A change gives the interval that began with it, and the start of the interval that it ended. An
-- ending gives a verdict that ended without a change: the key was dropped, or its SKU left the
-- catalog or came back. The current row gives the interval that still lasts. Endings cut the history
-- of a key into stretches, so that no interval includes a time in which the key was not known.
-- Schema version 1 had no endings. For its snapshots, the catalog's own changes are read too. A key
-- that was dropped then ends when its Azure subscription left, if that is remembered. If not, it
-- ends with the newest snapshot of its cell, which no longer holds the key.
CREATE VIEW restriction_timeline AS
WITH told AS (
    SELECT
        h.partner_tenant_id, h.customer_id, h.country, h.azure_subscription_id, h.arm_region,
        h.reservation_scope, h.product_id, h.sku_id,
        h.verdict_after AS verdict, h.reason_codes_after AS reason_codes,
        lower(h.restriction_values_after) AS restriction_values,
        h.after_at AS valid_from, h.snapshot_id AS snapshot_id, 1 AS trust, h.after_at AS told_at,
        s.sequence, 0 AS endings, CAST(NULL AS timestamptz) AS ended_at, '' AS ended_by
    FROM change AS h
    INNER JOIN snapshot AS s ON s.snapshot_id = h.snapshot_id
    WHERE h.subject = 'inventory' AND NOT h.suspect
    UNION ALL
    SELECT
        h.partner_tenant_id, h.customer_id, h.country, h.azure_subscription_id, h.arm_region,
        h.reservation_scope, h.product_id, h.sku_id,
        h.verdict_before, h.reason_codes_before, lower(h.restriction_values_before),
        b.verdict_since_at, h.before_snapshot_id, 2, h.after_at,
        s.sequence, 0, CAST(NULL AS timestamptz), ''
    FROM change AS h
    INNER JOIN change_since AS b ON b.event_id = h.event_id
    INNER JOIN snapshot AS s ON s.snapshot_id = h.snapshot_id
    WHERE h.subject = 'inventory' AND NOT h.suspect AND h.verdict_before <> ''
),
first_told AS (
    SELECT
        partner_tenant_id, customer_id, country, azure_subscription_id, arm_region,
        reservation_scope, product_id, sku_id, MIN(valid_from) AS first_at
    FROM told
    GROUP BY
        partner_tenant_id, customer_id, country, azure_subscription_id, arm_region,
        reservation_scope, product_id, sku_id
),
observed AS (
    SELECT * FROM told
    UNION ALL
    SELECT
        i.partner_tenant_id, i.customer_id, i.country, i.azure_subscription_id, i.arm_region,
        i.reservation_scope, i.product_id, i.sku_id, i.verdict, i.reason_codes,
        i.restriction_values, i.verdict_since_at, i.verdict_since_snapshot_id, 3, i.checked_at,
        9223372036854775807, 0, CAST(NULL AS timestamptz), ''
    FROM current_inventory AS i
    UNION ALL
    SELECT
        e.partner_tenant_id, e.customer_id, e.country, e.azure_subscription_id, e.arm_region,
        e.reservation_scope, e.product_id, e.sku_id, e.verdict, e.reason_codes,
        lower(e.restriction_values), e.verdict_since_at, e.verdict_since_snapshot_id, 3, e.ended_at,
        s.sequence, 1, e.ended_at, e.ended_by
    FROM ending AS e
    INNER JOIN snapshot AS s ON s.snapshot_id = e.snapshot_id
    UNION ALL
    SELECT
        f.partner_tenant_id, f.customer_id, f.country, f.azure_subscription_id, f.arm_region,
        f.reservation_scope, f.product_id, f.sku_id, 'not_in_catalog', '', '', g.after_at,
        g.snapshot_id, 4, g.after_at, s.sequence, 0, CAST(NULL AS timestamptz), ''
    FROM first_told AS f
    INNER JOIN change AS g
        ON g.partner_tenant_id = f.partner_tenant_id
        AND g.country = f.country
        AND g.reservation_scope = f.reservation_scope
        AND g.product_id = f.product_id
        AND g.after_at > f.first_at
    INNER JOIN snapshot AS s ON s.snapshot_id = g.snapshot_id AND s.schema_version = 1
    WHERE
        g.subject = 'catalog' AND g.kind = 'left_catalog' AND NOT g.suspect
        AND (g.sku_id = '' OR g.sku_id = f.sku_id)
),
departed AS (
    SELECT partner_tenant_id, customer_id, azure_subscription_id, MAX(since_at) AS left_at
    FROM current_remembered
    WHERE what = 'left_subscription'
    GROUP BY partner_tenant_id, customer_id, azure_subscription_id
),
-- A snapshot with an ending of a key tells nothing else about the key: the ending is its last row.
stretched AS (
    SELECT
        o.*,
        SUM(o.endings) OVER (
            PARTITION BY
                o.partner_tenant_id, o.customer_id, o.country, o.azure_subscription_id,
                o.arm_region, o.reservation_scope, o.product_id, o.sku_id
            ORDER BY o.sequence
        ) - o.endings AS stretch
    FROM observed AS o
),
placed AS (
    SELECT
        o.*,
        MAX(o.ended_at) OVER (
            PARTITION BY
                o.partner_tenant_id, o.customer_id, o.country, o.azure_subscription_id,
                o.arm_region, o.reservation_scope, o.product_id, o.sku_id, o.stretch
        ) AS stretch_ended_at,
        MAX(o.ended_by) OVER (
            PARTITION BY
                o.partner_tenant_id, o.customer_id, o.country, o.azure_subscription_id,
                o.arm_region, o.reservation_scope, o.product_id, o.sku_id, o.stretch
        ) AS stretch_ended_by,
        ROW_NUMBER() OVER (
            PARTITION BY
                o.partner_tenant_id, o.customer_id, o.country, o.azure_subscription_id,
                o.arm_region, o.reservation_scope, o.product_id, o.sku_id, o.stretch, o.valid_from
            ORDER BY
                o.trust, o.told_at, o.snapshot_id DESC, o.verdict, o.reason_codes,
                o.restriction_values
        ) AS place
    FROM stretched AS o
),
compared AS (
    SELECT
        q.*,
        LAG(q.verdict || '|' || COALESCE(q.reason_codes, '') || '|'
            || COALESCE(q.restriction_values, '')) OVER (
            PARTITION BY
                q.partner_tenant_id, q.customer_id, q.country, q.azure_subscription_id,
                q.arm_region, q.reservation_scope, q.product_id, q.sku_id, q.stretch
            ORDER BY q.valid_from
        ) AS before
    FROM placed AS q
    WHERE q.place = 1
),
begun AS (
    SELECT
        d.*,
        LEAD(d.valid_from) OVER (
            PARTITION BY
                d.partner_tenant_id, d.customer_id, d.country, d.azure_subscription_id,
                d.arm_region, d.reservation_scope, d.product_id, d.sku_id, d.stretch
            ORDER BY d.valid_from
        ) AS next_from,
        LEAD(d.verdict) OVER (
            PARTITION BY
                d.partner_tenant_id, d.customer_id, d.country, d.azure_subscription_id,
                d.arm_region, d.reservation_scope, d.product_id, d.sku_id, d.stretch
            ORDER BY d.valid_from
        ) AS next_verdict
    FROM compared AS d
    WHERE
        d.before IS NULL
        OR d.before <> d.verdict || '|' || COALESCE(d.reason_codes, '') || '|'
            || COALESCE(d.restriction_values, '')
)
SELECT
    t.partner_tenant_id, t.customer_id, t.country, t.azure_subscription_id, t.arm_region,
    t.reservation_scope, t.product_id, t.sku_id, t.verdict, t.reason_codes, t.restriction_values,
    t.valid_from,
    COALESCE(
        t.next_from, t.stretch_ended_at,
        CASE WHEN i.verdict IS NULL THEN COALESCE(w.left_at, s.published_at) END
    ) AS valid_to,
    CASE
        WHEN t.next_verdict = 'not_in_catalog' THEN 'left_catalog'
        WHEN t.next_verdict IS NOT NULL THEN 'changed'
        WHEN t.stretch_ended_at IS NOT NULL THEN t.stretch_ended_by
        WHEN i.verdict IS NOT NULL THEN ''
        WHEN w.left_at IS NOT NULL THEN 'left'
        ELSE 'forgotten'
    END AS ended_by,
    t.snapshot_id,
    COALESCE(c.company_name, '') AS company_name,
    COALESCE(n.product_title, '') AS product_title,
    COALESCE(n.sku_title, '') AS sku_title,
    COALESCE(n.arm_sku_name, '') AS arm_sku_name,
    COALESCE(NULLIF(t.arm_region, ''), n.region, '') AS region,
    t.partner_tenant_id || '|' || t.customer_id AS customer_key,
    t.partner_tenant_id || '|' || t.country || '|' || t.reservation_scope || '|' || t.product_id
        || ':' || t.sku_id AS sku_key,
    t.partner_tenant_id || '|' || t.customer_id || '|' || t.country || '|'
        || t.azure_subscription_id || '|' || t.arm_region || '|' || t.reservation_scope || '|'
        || t.product_id || ':' || t.sku_id AS inventory_key
FROM begun AS t
LEFT JOIN current_inventory AS i
    ON i.partner_tenant_id = t.partner_tenant_id
    AND i.customer_id = t.customer_id
    AND i.country = t.country
    AND i.azure_subscription_id = t.azure_subscription_id
    AND i.arm_region = t.arm_region
    AND i.reservation_scope = t.reservation_scope
    AND i.product_id = t.product_id
    AND i.sku_id = t.sku_id
LEFT JOIN departed AS w
    ON w.partner_tenant_id = t.partner_tenant_id
    AND w.customer_id = t.customer_id
    AND w.azure_subscription_id = t.azure_subscription_id
    AND w.left_at > t.valid_from
LEFT JOIN latest_cell AS e
    ON e.partner_tenant_id = t.partner_tenant_id
    AND e.customer_id = t.customer_id
    AND e.country = t.country
LEFT JOIN snapshot AS s ON s.snapshot_id = e.snapshot_id
LEFT JOIN current_customer AS c
    ON c.partner_tenant_id = t.partner_tenant_id AND c.customer_id = t.customer_id
LEFT JOIN sku_name AS n
    ON n.partner_tenant_id = t.partner_tenant_id
    AND n.product_id = t.product_id
    AND n.sku_id = t.sku_id;
