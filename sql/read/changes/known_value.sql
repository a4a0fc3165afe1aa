-- The values that can select changes: countries, regions, SKUs and Azure subscriptions.
-- Grain: one value of one column.
-- Those of changes are read too: what left the catalog, or a customer, can still be named.
SELECT DISTINCT of, value
FROM (
    SELECT 'country' AS of, country AS value FROM coverage
    UNION ALL
    SELECT 'region', region FROM current_sku
    UNION ALL
    SELECT 'region', arm_region FROM change
    UNION ALL
    SELECT 'sku', product_id || ':' || sku_id FROM current_sku
    UNION ALL
    SELECT 'sku', product_id || ':' || sku_id FROM current_commerce_subscription
    UNION ALL
    SELECT 'sku', product_id || ':' || sku_id FROM change
    UNION ALL
    SELECT 'subscription', azure_subscription_id FROM current_azure_subscription
    UNION ALL
    SELECT 'subscription', azure_subscription_id FROM change
) AS named
WHERE value <> ''
ORDER BY of, value;
