-- What is not known of a customer, and why.
-- Grain: one outcome and reason of checks and listings without an answer.
-- Binds: customer_id.
SELECT kind, outcome, reason, COUNT(*) AS checks
FROM current_check_outcome
WHERE customer_id = $customer_id AND outcome <> 'answered'
GROUP BY kind, outcome, reason
ORDER BY outcome, kind, reason;
