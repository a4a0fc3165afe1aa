-- Every name that a customer ever had.
-- Grain: one customer, company name and domain.
SELECT DISTINCT customer_id, company_name, domain FROM customer;
