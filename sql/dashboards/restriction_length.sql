-- How long restrictions last.
-- Grain: one partner, region and family that has been restricted.
-- A restriction counts once from beginning to end, even if its reasons changed meanwhile. Restrictions
-- that still last are counted separately, until the partner's newest publication: they will get longer.
-- began_unseen: restrictions, ended or lasting, that existed when their key was first checked, or when
-- it came back. They may have lasted longer than is known. unknown: lasting restrictions whose answer is stale.
WITH placed AS (
    SELECT
        t.partner_tenant_id, t.region, t.product_id, t.sku_id, t.inventory_key, t.verdict,
        t.valid_from, t.valid_to,
        LAG(t.verdict) OVER (PARTITION BY t.inventory_key ORDER BY t.valid_from) AS verdict_before,
        LAG(t.valid_to) OVER (PARTITION BY t.inventory_key ORDER BY t.valid_from) AS before_until
    FROM restriction_timeline AS t
),
numbered AS (
    SELECT
        q.*,
        SUM(
            CASE WHEN q.verdict_before = q.verdict AND q.before_until = q.valid_from THEN 0 ELSE 1 END
        ) OVER (PARTITION BY q.inventory_key ORDER BY q.valid_from) AS stretch
    FROM placed AS q
),
whole AS (
    SELECT
        b.partner_tenant_id, b.region, b.product_id, b.sku_id, b.inventory_key,
        MIN(b.valid_from) AS valid_from,
        CASE WHEN COUNT(b.valid_to) = COUNT(*) THEN MAX(b.valid_to) END AS valid_to,
        COUNT(CASE WHEN b.before_until = b.valid_from THEN 1 END) = COUNT(*) AS is_beginning_seen
    FROM numbered AS b
    WHERE b.verdict = 'restricted'
    GROUP BY
        b.partner_tenant_id, b.region, b.product_id, b.sku_id, b.inventory_key, b.stretch
),
timed AS (
    SELECT
        w.*,
        CAST(
            EXTRACT(EPOCH FROM (COALESCE(w.valid_to, p.newest_published_at) - w.valid_from))
            AS double precision
        ) / 86400 AS days,
        p.partner_name,
        COALESCE(n.family, '') AS family,
        COALESCE(i.is_stale, false) AS is_stale
    FROM whole AS w
    INNER JOIN dim_partner AS p ON p.partner_tenant_id = w.partner_tenant_id
    LEFT JOIN sku_name AS n
        ON n.partner_tenant_id = w.partner_tenant_id
        AND n.product_id = w.product_id
        AND n.sku_id = w.sku_id
    LEFT JOIN latest_inventory AS i ON i.inventory_key = w.inventory_key
)
SELECT
    d.partner_name,
    d.region,
    d.family,
    COUNT(d.valid_to) AS ended,
    AVG(CASE WHEN d.valid_to IS NOT NULL THEN d.days END) AS mean_days_ended,
    MAX(CASE WHEN d.valid_to IS NOT NULL THEN d.days END) AS longest_days_ended,
    COUNT(CASE WHEN d.valid_to IS NULL THEN 1 END) AS lasting,
    AVG(CASE WHEN d.valid_to IS NULL THEN d.days END) AS mean_days_so_far,
    MAX(CASE WHEN d.valid_to IS NULL THEN d.days END) AS longest_days_so_far,
    COUNT(CASE WHEN NOT d.is_beginning_seen THEN 1 END) AS began_unseen,
    COUNT(CASE WHEN d.valid_to IS NULL AND d.is_stale THEN 1 END) AS unknown
FROM timed AS d
GROUP BY d.partner_name, d.region, d.family
ORDER BY lasting DESC, ended DESC, d.partner_name, d.region, d.family
