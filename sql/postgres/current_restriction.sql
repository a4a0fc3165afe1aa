-- The restrictions of every inventory row, as known now.
-- Grain: one inventory key and ordinal.
-- An older version wrote regions in the letter case in which they were sent.
CREATE VIEW current_restriction AS
SELECT
    l.snapshot_id, i.partner_tenant_id, i.customer_id, i.country,
    i.azure_subscription_id, i.arm_region, i.reservation_scope, i.product_id, i.sku_id,
    i.ordinal, i.reason_code, i.description, i.type,
    CASE WHEN lower(i.type) = 'location' THEN lower(i.value) ELSE i.value END AS value,
    i.properties
FROM restriction_interval AS i
INNER JOIN latest AS l
    ON l.partner_tenant_id = i.partner_tenant_id
    AND l.customer_id = i.customer_id
    AND l.country = i.country
WHERE i.valid_to IS NULL;
