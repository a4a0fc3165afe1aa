-- The time span in which each product or SKU was not in the catalog, as a snapshot remembers it.
-- Grain: one product (sku_id '') or SKU.
-- Binds: snapshot (its id).
-- For one that is still gone, the span lasts until the snapshot was published. An older store did
-- not record when an item came back; both ends are then the time at which the item left.
SELECT
    r.country,
    r.reservation_scope,
    r.product_id,
    r.sku_id,
    r.since_at AS gone_at,
    CASE r.what
        WHEN 'gone' THEN s.published_at
        ELSE COALESCE(
            CAST(json_extract_string(r.detail, '$.returned_at') AS TIMESTAMPTZ), r.since_at
        )
    END AS until_at
FROM remembered AS r
INNER JOIN snapshot AS s ON s.snapshot_id = r.snapshot_id
WHERE r.snapshot_id = $snapshot AND r.what IN ('gone', 'returned');
