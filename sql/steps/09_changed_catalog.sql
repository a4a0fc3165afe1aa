-- Adds one change for each item that left or entered the catalog, for all customers together.
-- Grain: one catalog event.
-- Reads: cell, catalog_event, catalog_affected.  Adds to: changed.
-- Executed only for the bucket of the catalog, which is compared last.
INSERT INTO changed
SELECT
    'catalog',
    e.kind,
    '',
    e.country,
    '',
    '',
    e.reservation_scope,
    e.product_id,
    e.sku_id,
    '',
    '',
    '',
    0,
    CASE e.kind WHEN 'left_catalog' THEN '' ELSE 'not_in_catalog' END,
    CASE e.kind WHEN 'left_catalog' THEN 'not_in_catalog' ELSE '' END,
    '',
    '',
    '',
    '',
    e.detail,
    c.previous_snapshot_id,
    e.before_at,
    e.after_at,
    COALESCE((
        SELECT sum(a.customers) FROM catalog_affected AS a
        WHERE a.country = e.country AND a.reservation_scope = e.reservation_scope
        AND a.product_id = e.product_id AND a.sku_id = e.sku_id
    ), 0),
    false
FROM catalog_event AS e
INNER JOIN cell AS c ON c.customer_id = '' AND c.country = e.country;
