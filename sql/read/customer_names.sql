-- By what each customer can be found. The rule by which names are compared is in Python, for runs too.
-- Grain: one customer id, company name and domain.
SELECT DISTINCT customer_id, company_name, domain
FROM current_customer
ORDER BY customer_id, company_name, domain;
