-- Every SKU that has a name, to say which are near to one that there is not.
-- Grain: one product, SKU, size, region and term.
SELECT DISTINCT
    k.product_id, k.sku_id, COALESCE(k.arm_sku_name, '') AS size,
    COALESCE(s.region, '') AS region, COALESCE(s.term_duration, '') AS term
FROM known_sku_title AS k
LEFT JOIN current_sku AS s
    ON s.partner_tenant_id = k.partner_tenant_id
    AND s.country = k.country
    AND s.reservation_scope = k.reservation_scope
    AND s.product_id = k.product_id
    AND s.sku_id = k.sku_id
UNION
SELECT DISTINCT product_id, sku_id, '', '', COALESCE(term_duration, '')
FROM current_commerce_subscription
WHERE product_id <> '';
