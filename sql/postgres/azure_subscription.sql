-- The Azure subscriptions of each customer, for every snapshot that is not pruned.
-- Grain: one snapshot and Azure subscription.
CREATE VIEW azure_subscription AS
SELECT
    v.snapshot_id, i.partner_tenant_id, i.customer_id, i.azure_subscription_id, i.plan_id,
    i.friendly_name, i.status, i.registration_status, i.reseller_id
FROM held_cell AS v
INNER JOIN azure_subscription_interval AS i
    ON v.partner_tenant_id = i.partner_tenant_id
    AND v.customer_id = i.customer_id
    AND v.country = ''
    AND i.valid_from <= v.sequence
    AND (i.valid_to IS NULL OR i.valid_to > v.sequence);
