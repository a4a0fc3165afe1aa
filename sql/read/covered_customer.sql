-- A customer that some snapshot has covered, even if the customer has left.
-- Grain: one row, or none if no snapshot has covered the customer.
-- Binds: customer_id.
SELECT customer_id
FROM coverage
WHERE customer_id = $customer_id
LIMIT 1;
