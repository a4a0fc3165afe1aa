-- What each customer holds, as it is known now.
-- Grain:  one commerce subscription.
CREATE VIEW current_commerce_subscription AS
SELECT
    snapshot_id, partner_tenant_id, customer_id, commerce_subscription_id, product_id, sku_id,
    offer_id, offer_name, quantity, status, term_duration, billing_cycle, term_ends_at,
    end_action, next_product_id, next_sku_id, next_term_duration, reseller_id
FROM known_commerce_subscription;
