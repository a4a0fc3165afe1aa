-- The first answers that are kept: no second answer for the same check contradicts them.
-- Grain: one row of answer_availability.
-- Reads: answer_availability, second_answer_availability.
SELECT a.*
FROM answer_availability AS a
ANTI JOIN (FROM second_answer_availability WHERE NOT is_same) AS t USING (
    customer_id, country, product_id, sku_id, reservation_scope
);
