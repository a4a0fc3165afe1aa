-- The SKUs that only the later of two snapshots lists, without those that come back and those of a
-- listing that was never answered before.
-- Grain: one SKU in a country and reservation scope.
-- Binds: before, after (ids of snapshots).
WITH noted AS (
    SELECT country, reservation_scope, product_id, sku_id, what
    FROM remembered
    WHERE snapshot_id = $before AND customer_id = ''
)
SELECT a.country, a.reservation_scope, a.product_id, a.sku_id
FROM sku AS a
LEFT JOIN remembered AS v
    ON v.snapshot_id = $after AND v.customer_id = '' AND v.what = 'view'
    AND v.country = a.country AND v.reservation_scope = a.reservation_scope
    AND v.product_id = a.product_id
WHERE a.snapshot_id = $after AND NOT EXISTS (
    FROM sku AS b
    WHERE b.snapshot_id = $before AND b.country = a.country
    AND b.reservation_scope = a.reservation_scope
    AND b.product_id = a.product_id AND b.sku_id = a.sku_id
) AND NOT EXISTS (
    FROM noted AS n
    WHERE n.country = a.country AND n.reservation_scope = a.reservation_scope AND (
        (n.what = 'gone' AND n.product_id = a.product_id AND n.sku_id IN ('', a.sku_id))
        OR (n.what = 'unlisted' AND n.product_id = CASE
            WHEN EXISTS (
                FROM noted AS k
                WHERE k.what = 'view' AND k.country = a.country
                AND k.reservation_scope = a.reservation_scope AND k.product_id = a.product_id
            ) THEN a.product_id
            ELSE 'view:' || v.detail
        END)
    )
);
