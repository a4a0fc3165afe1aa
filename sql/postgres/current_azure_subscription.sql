-- The Azure subscriptions of each customer, as it is known now.
-- Grain:  one Azure subscription.
CREATE VIEW current_azure_subscription AS
SELECT
    snapshot_id, partner_tenant_id, customer_id, azure_subscription_id, plan_id, friendly_name,
    status, registration_status, reseller_id
FROM known_azure_subscription;
