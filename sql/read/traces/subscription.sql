-- The ids of every Azure and commerce subscription that a customer ever had, pruned nights too.
-- Grain: one id.
-- Binds: customer.
SELECT azure_subscription_id AS id FROM azure_subscription WHERE customer_id = $customer
UNION
SELECT azure_subscription_id FROM change WHERE customer_id = $customer
UNION
SELECT azure_subscription_id FROM ending WHERE customer_id = $customer
UNION
SELECT azure_subscription_id FROM check_outcome WHERE customer_id = $customer
UNION
SELECT azure_subscription_id FROM remembered WHERE customer_id = $customer
UNION
SELECT commerce_subscription_id FROM commerce_subscription WHERE customer_id = $customer;
