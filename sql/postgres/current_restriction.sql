-- The restrictions of every inventory row, as it is known now.
-- Grain:  one inventory key and ordinal.
CREATE VIEW current_restriction AS
SELECT
    snapshot_id, partner_tenant_id, customer_id, country, azure_subscription_id, arm_region,
    reservation_scope, product_id, sku_id, ordinal, reason_code, description, type, value,
    properties
FROM known_restriction;
