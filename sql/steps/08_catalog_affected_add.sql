-- Adds how many customers of this bucket each catalog event concerns.
-- Grain: one catalog event in one bucket.
-- Reads: catalog_event, known_inventory.  Adds to: catalog_affected.
-- The event of a whole product (sku_id '') counts the customers of all its SKUs.
INSERT INTO catalog_affected
SELECT
    e.country,
    e.reservation_scope,
    e.product_id,
    e.sku_id,
    count(DISTINCT k.customer_id) AS customers
FROM catalog_event AS e
INNER JOIN known_inventory AS k
    ON k.country = e.country AND k.reservation_scope = e.reservation_scope
    AND k.product_id = e.product_id AND e.sku_id IN ('', k.sku_id)
    AND k.customer_id <> ''
    AND (e.kind = 'left_catalog') = (k.verdict <> 'not_in_catalog')
GROUP BY ALL;
