-- The commerce subscriptions that each customer holds, as known now.
-- Grain: one commerce subscription.
CREATE VIEW current_commerce_subscription AS
SELECT
    l.snapshot_id, i.partner_tenant_id, i.customer_id, i.commerce_subscription_id,
    i.product_id, i.sku_id, i.offer_id, i.offer_name, i.quantity, i.status, i.term_duration,
    i.billing_cycle, i.term_ends_at, i.end_action, i.next_product_id, i.next_sku_id,
    i.next_term_duration, i.reseller_id
FROM commerce_subscription_interval AS i
INNER JOIN latest AS l
    ON l.partner_tenant_id = i.partner_tenant_id
    AND l.customer_id = i.customer_id
    AND l.country = ''
WHERE i.valid_to IS NULL;
