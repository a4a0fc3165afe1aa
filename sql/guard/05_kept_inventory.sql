-- The first answers that are kept, because no second answer contradicts them.
-- Grain: one row of answer_inventory.
-- Reads: answer_inventory, second_answer_inventory.
SELECT a.*
FROM answer_inventory AS a
ANTI JOIN (FROM second_answer_inventory WHERE NOT is_same) AS t USING (
    customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id, sku_id
);
