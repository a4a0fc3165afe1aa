-- Facts about things that have no row in another relation, as known now.
-- Grain: one key and kind of fact (what).
CREATE VIEW current_remembered AS
SELECT
    l.snapshot_id, i.partner_tenant_id, i.customer_id, i.country,
    i.azure_subscription_id, i.arm_region, i.reservation_scope, i.product_id, i.sku_id, i.what,
    i.detail, i.since_at
FROM remembered_interval AS i
INNER JOIN latest AS l
    ON l.partner_tenant_id = i.partner_tenant_id
    AND l.customer_id = i.customer_id
    AND l.country = i.country
WHERE i.valid_to IS NULL;
