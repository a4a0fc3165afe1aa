-- How many checks of the customer have no answer: what they would allow is not known.
-- Grain: one row.
-- Binds: customer_id.
SELECT COUNT(*) AS checks
FROM current_check_outcome
WHERE customer_id = $customer_id AND outcome IN ('failed', 'skipped') AND kind = 'inventory';
