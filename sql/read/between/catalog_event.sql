-- The products and SKUs that are in the catalog of only one of two snapshots.
-- Grain: one product (sku_id '') or SKU that left or came back.
-- Binds: before, after (ids of snapshots).
-- A SKU that left or came back with its product makes no change of its own.
WITH noted AS (
    SELECT
        country, reservation_scope, product_id, sku_id, what, detail, since_at, snapshot_id
    FROM remembered
    WHERE what IN ('gone', 'returned')
),
gone AS (
    SELECT *, 'before' AS side FROM noted WHERE snapshot_id = $before
    UNION ALL
    SELECT *, 'after' AS side FROM noted WHERE snapshot_id = $after
),
only_in_one AS (
    SELECT g.* FROM gone AS g
    WHERE g.what = 'gone' AND NOT EXISTS (
        FROM gone AS o
        WHERE o.side <> g.side AND o.what = 'gone' AND o.country = g.country
        AND o.reservation_scope = g.reservation_scope
        AND o.product_id = g.product_id AND o.sku_id = g.sku_id
    ) AND NOT EXISTS (
        FROM gone AS p
        WHERE g.sku_id <> '' AND p.sku_id = '' AND p.side = g.side
        AND p.country = g.country AND p.reservation_scope = g.reservation_scope
        AND p.product_id = g.product_id
        AND (p.what = 'gone' OR (g.side = 'before' AND p.since_at = g.since_at))
    )
)
SELECT
    country, reservation_scope, product_id, sku_id,
    'left_catalog' AS kind,
    detail,
    CAST(NULL AS TIMESTAMPTZ) AS before_at,
    since_at AS after_at
FROM only_in_one
WHERE side = 'after'
UNION ALL
SELECT
    g.country, g.reservation_scope, g.product_id, g.sku_id,
    'entered_catalog',
    '{}',
    g.since_at,
    COALESCE(
        CAST(json_extract_string(r.detail, '$.returned_at') AS TIMESTAMPTZ), s.started_at
    )
FROM only_in_one AS g
INNER JOIN snapshot AS s ON s.snapshot_id = $after
LEFT JOIN gone AS r
    ON r.side = 'after' AND r.what = 'returned' AND r.country = g.country
    AND r.reservation_scope = g.reservation_scope
    AND r.product_id = g.product_id AND r.sku_id = g.sku_id AND r.since_at = g.since_at
WHERE g.side = 'before';
