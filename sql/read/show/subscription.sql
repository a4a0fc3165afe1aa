-- The Azure subscriptions of a customer.
-- Grain: one Azure subscription of a partner.
-- Binds: customer_id.
SELECT azure_subscription_id, friendly_name, status, registration_status, plan_id, partner_tenant_id
FROM current_azure_subscription
WHERE customer_id = $customer_id
ORDER BY friendly_name, azure_subscription_id;
