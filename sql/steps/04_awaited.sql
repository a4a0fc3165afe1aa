-- Keys that were new in an earlier snapshot and have had no answer yet.
-- Grain: one key, or several keys if sku_id or product_id is ''.
-- Reads: known_remembered.
CREATE OR REPLACE TEMP TABLE awaited AS
SELECT
    customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id, sku_id,
    since_at
FROM known_remembered
WHERE what = 'awaited';
