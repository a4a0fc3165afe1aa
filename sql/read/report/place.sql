-- What is restricted now, and how much is unknown.
-- Grain: one partner, country and region.
-- Reads: state.
SELECT
    partner_name, country, region,
    COUNT(CASE WHEN state = 'restricted' THEN 1 END) AS restricted,
    COUNT(CASE WHEN state = 'unrestricted' THEN 1 END) AS unrestricted,
    COUNT(CASE WHEN state = 'not_in_catalog' THEN 1 END) AS not_in_catalog,
    COUNT(CASE WHEN state = 'unknown' THEN 1 END) AS unknown,
    COUNT(DISTINCT CASE WHEN state = 'restricted' THEN product_id || ':' || sku_id END) AS skus,
    COUNT(DISTINCT CASE WHEN state = 'restricted' THEN customer_id END) AS customers
FROM state
GROUP BY partner_name, country, region
ORDER BY restricted DESC, unknown DESC, partner_name, country, region;
