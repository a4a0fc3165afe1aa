-- What the second answer makes of each inventory key that was asked about once more.
-- Grain:  one inventory key.
-- Tables: recheck_inventory (with the first answer), answer_inventory (the second answers).
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
