-- Whether any snapshot has covered a customer, one that has left too.
-- Grain: one row, or none.
-- Binds: customer_id.
SELECT customer_id
FROM coverage
WHERE customer_id = $customer_id
LIMIT 1;
