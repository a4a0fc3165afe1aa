-- Whether the second answer for each inventory key equals the first (is_same).
-- Grain: one inventory key that was checked again.
-- Reads: recheck_inventory (the first answers), answer_inventory (the second answers).
SELECT
    c.*,
    same_answer(
        c.verdict, a.verdict, c.reason_codes, a.reason_codes,
        c.restriction_values, a.restriction_values
    ) AS is_same
FROM recheck_inventory AS c
LEFT JOIN answer_inventory AS a USING (
    customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id, sku_id
);
