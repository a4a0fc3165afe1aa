-- Keys that were news before and have had no answer yet.
-- Grain: one key, or several where sku_id or product_id is ''.  Tables: known_remembered.
CREATE OR REPLACE TEMP TABLE awaited AS
SELECT
    customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id, sku_id,
    since_at
FROM known_remembered
WHERE what = 'awaited';
