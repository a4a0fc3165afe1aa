-- The restrictions of the first answers that are kept.
-- Grain: one row of answer_restriction.
-- Reads: answer_restriction, second_answer_inventory.
SELECT a.*
FROM answer_restriction AS a
ANTI JOIN (FROM second_answer_inventory WHERE NOT is_same) AS t USING (
    customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id, sku_id
);
