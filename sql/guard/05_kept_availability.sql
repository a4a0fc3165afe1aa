-- The first answers that stand: those whose check no second answer speaks against.
-- Grain:  one row of answer_availability.  Tables: answer_availability, second_answer_availability.
SELECT a.*
FROM answer_availability AS a
ANTI JOIN (FROM second_answer_availability WHERE NOT is_same) AS t USING (
    customer_id, country, product_id, sku_id, reservation_scope
);
