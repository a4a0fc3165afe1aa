-- The Azure subscriptions of each customer, as known now.
-- Grain: one Azure subscription.
CREATE VIEW current_azure_subscription AS
SELECT
    l.snapshot_id, i.partner_tenant_id, i.customer_id, i.azure_subscription_id,
    i.plan_id, i.friendly_name, i.status, i.registration_status, i.reseller_id
FROM azure_subscription_interval AS i
INNER JOIN latest AS l
    ON l.partner_tenant_id = i.partner_tenant_id
    AND l.customer_id = i.customer_id
    AND l.country = ''
WHERE i.valid_to IS NULL;
