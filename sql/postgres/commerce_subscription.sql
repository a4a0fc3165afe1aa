-- The commerce subscriptions that each customer holds, for every snapshot that is not pruned.
-- Grain: one snapshot and commerce subscription.
CREATE VIEW commerce_subscription AS
SELECT
    v.snapshot_id, i.partner_tenant_id, i.customer_id, i.commerce_subscription_id, i.product_id,
    i.sku_id, i.offer_id, i.offer_name, i.quantity, i.status, i.term_duration, i.billing_cycle,
    i.term_ends_at, i.end_action, i.next_product_id, i.next_sku_id, i.next_term_duration,
    i.reseller_id
FROM held_cell AS v
INNER JOIN commerce_subscription_interval AS i
    ON v.partner_tenant_id = i.partner_tenant_id
    AND v.customer_id = i.customer_id
    AND v.country = ''
    AND i.valid_from <= v.sequence
    AND (i.valid_to IS NULL OR i.valid_to > v.sequence);
