-- How many keys were restricted on each day, from the last complete full snapshot of that day.
-- Grain: one date, partner, country, region, family and reason.
-- Each inventory key counts once. unknown: keys that are stale in that snapshot (see
-- latest_inventory), because their last verdict may no longer be true, and unanswered checks that
-- have no known key.
-- reason is the whole set of reason codes, '' for keys that are not restricted. So counts add up.
CREATE VIEW fact_restriction_day AS
WITH placed AS (
    SELECT
        s.*,
        ROW_NUMBER() OVER (
            PARTITION BY s.partner_tenant_id, s.business_date ORDER BY s.sequence DESC
        ) AS place
    FROM snapshot AS s
    WHERE s.kind = 'full' AND s.status = 'complete'
),
day_snapshot AS (
    SELECT snapshot_id, business_date, started_at FROM placed WHERE place = 1
),
known AS (
    SELECT
        d.business_date, i.snapshot_id, i.partner_tenant_id, i.country,
        COALESCE(i.region, '') AS region, i.product_id, i.sku_id,
        CASE
            WHEN i.checked_at < d.started_at AND i.checked_snapshot_id < i.snapshot_id
                THEN 'unknown'
            ELSE i.verdict
        END AS state,
        CASE
            WHEN i.verdict = 'restricted' AND i.checked_at >= d.started_at
                THEN COALESCE(i.reason_codes, '')
            ELSE ''
        END AS reason
    FROM inventory AS i
    INNER JOIN day_snapshot AS d ON d.snapshot_id = i.snapshot_id
),
silent AS (
    SELECT
        d.business_date, o.snapshot_id, o.partner_tenant_id, o.country,
        o.arm_region AS region, o.product_id, o.sku_id, 'unknown' AS state, '' AS reason
    FROM check_outcome AS o
    INNER JOIN day_snapshot AS d ON d.snapshot_id = o.snapshot_id
    WHERE
        o.kind = 'inventory' AND o.outcome IN ('failed', 'skipped')
        AND NOT EXISTS (
            SELECT 1 FROM inventory AS i
            WHERE
                i.snapshot_id = o.snapshot_id
                AND i.partner_tenant_id = o.partner_tenant_id
                AND i.customer_id = o.customer_id
                AND i.country = o.country
                AND i.azure_subscription_id = o.azure_subscription_id
                AND i.arm_region = o.arm_region
                AND i.reservation_scope = o.reservation_scope
                AND i.product_id = o.product_id
                AND (o.sku_id = '' OR i.sku_id = o.sku_id)
        )
),
counted AS (
    SELECT * FROM known
    UNION ALL
    SELECT * FROM silent
)
SELECT
    k.business_date AS date,
    k.partner_tenant_id,
    k.country,
    k.region,
    COALESCE(n.family, '') AS family,
    k.reason,
    COUNT(CASE WHEN k.state = 'restricted' THEN 1 END) AS restricted,
    COUNT(CASE WHEN k.state = 'unrestricted' THEN 1 END) AS unrestricted,
    COUNT(CASE WHEN k.state = 'not_in_catalog' THEN 1 END) AS not_in_catalog,
    COUNT(CASE WHEN k.state = 'unknown' THEN 1 END) AS unknown
FROM counted AS k
LEFT JOIN sku_name AS n
    ON n.partner_tenant_id = k.partner_tenant_id
    AND n.product_id = k.product_id
    AND n.sku_id = k.sku_id
GROUP BY
    k.business_date, k.partner_tenant_id, k.country, k.region, COALESCE(n.family, ''), k.reason;
