-- The SKUs with an id, or all SKUs of a product, that any current row names.
-- Grain: one product and SKU.
-- Binds: product_id, sku_id ('' for every SKU of the product), in lower case; region in lower case
-- and term ('' for any). A SKU whose region or term is not known is not left out by them.
SELECT
    k.product_id, k.sku_id,
    MAX(k.product_title) AS product_title, MAX(k.sku_title) AS sku_title,
    MAX(k.arm_sku_name) AS arm_sku_name, MAX(k.region) AS region,
    MAX(k.term_duration) AS term_duration
FROM dim_sku AS k
WHERE
    lower(k.product_id) = $product_id
    AND k.sku_id <> ''
    AND ($sku_id = '' OR lower(k.sku_id) = $sku_id)
    AND ($region = '' OR k.region IN ('', $region))
    AND ($term = '' OR k.term_duration IN ('', $term))
GROUP BY k.product_id, k.sku_id
ORDER BY k.product_id, k.sku_id;
