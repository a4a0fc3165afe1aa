-- What is remembered of things that have no row of their own, as it is known now.
-- Grain:  one key and what is remembered of it.
CREATE VIEW current_remembered AS
SELECT
    snapshot_id, partner_tenant_id, customer_id, country, azure_subscription_id, arm_region,
    reservation_scope, product_id, sku_id, what, detail, since_at
FROM known_remembered;
