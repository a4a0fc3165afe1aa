-- The customers with this id, domain or exact company name.
-- Grain: one customer id.
-- Binds: customer.
SELECT DISTINCT customer_id
FROM current_customer
WHERE
    customer_id = lower($customer)
    OR lower(domain) = lower($customer)
    OR company_name = $customer
ORDER BY customer_id;
