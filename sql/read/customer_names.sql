-- The id and the names by which each customer can be found. Python compares the names: runs use
-- the same rule.
-- Grain: one customer id, company name and domain.
SELECT DISTINCT customer_id, company_name, domain
FROM current_customer
ORDER BY customer_id, company_name, domain;
