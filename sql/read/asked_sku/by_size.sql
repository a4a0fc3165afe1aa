-- The SKUs of one size of virtual machine, those that left the catalog too.
-- Grain: one product and SKU.
-- Binds: size and region in lower case, term; region and term '' for any. If a SKU has left the
-- catalog, its region and term are not known, and do not leave it out.
SELECT
    k.product_id, k.sku_id,
    MAX(k.product_title) AS product_title, MAX(k.title) AS sku_title,
    MAX(k.arm_sku_name) AS arm_sku_name, MAX(COALESCE(s.region, '')) AS region,
    MAX(COALESCE(s.term_duration, '')) AS term_duration
FROM known_sku_title AS k
LEFT JOIN current_sku AS s
    ON s.partner_tenant_id = k.partner_tenant_id
    AND s.country = k.country
    AND s.reservation_scope = k.reservation_scope
    AND s.product_id = k.product_id
    AND s.sku_id = k.sku_id
WHERE
    lower(k.arm_sku_name) = $size
    AND ($region = '' OR COALESCE(s.region, '') IN ('', $region))
    AND ($term = '' OR COALESCE(s.term_duration, '') IN ('', $term))
GROUP BY k.product_id, k.sku_id
ORDER BY k.product_id, k.sku_id;
