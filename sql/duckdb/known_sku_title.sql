-- The titles of a SKU: as the catalog lists them, else as they were when it left the catalog.
-- Grain: one partner, country, reservation scope and SKU (sku_id '' for a whole product that left).
CREATE VIEW known_sku_title AS
SELECT
    partner_tenant_id, country, reservation_scope, product_id, sku_id,
    product_title, title, arm_sku_name, true AS is_listed
FROM current_sku
UNION ALL
SELECT
    r.partner_tenant_id, r.country, r.reservation_scope, r.product_id, r.sku_id,
    COALESCE(json_extract_string(r.detail, '$.product_title'), ''),
    COALESCE(json_extract_string(r.detail, '$.title'), ''),
    COALESCE(json_extract_string(r.detail, '$.arm_sku_name'), ''),
    false
FROM current_remembered AS r
ANTI JOIN current_sku AS s
    ON s.partner_tenant_id = r.partner_tenant_id
    AND s.country = r.country
    AND s.reservation_scope = r.reservation_scope
    AND s.product_id = r.product_id
    AND s.sku_id = r.sku_id
WHERE
    r.what = 'gone' AND r.customer_id = '' AND r.azure_subscription_id = '' AND r.arm_region = ''
    AND json_valid(r.detail);
