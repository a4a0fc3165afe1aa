-- How each inventory check of the bucket ended.
-- Grain: one check.
-- Reads: settled_check.
CREATE OR REPLACE TEMP TABLE settled_inventory AS
SELECT
    customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id, sku_id,
    outcome
FROM settled_check
WHERE kind = 'inventory';
