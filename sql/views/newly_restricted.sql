-- The SKUs that customers can no longer buy: restricted now, unrestricted before.
-- Grain: one change that is not suspect, of a snapshot after its partner's previous full one.
CREATE VIEW newly_restricted AS
SELECT
    h.*,
    COALESCE(c.company_name, '') AS company_name,
    COALESCE(n.product_title, '') AS product_title,
    COALESCE(n.sku_title, '') AS sku_title,
    COALESCE(n.arm_sku_name, '') AS arm_sku_name,
    COALESCE(NULLIF(h.arm_region, ''), n.region, '') AS region,
    h.partner_tenant_id || '|' || h.customer_id AS customer_key,
    h.partner_tenant_id || '|' || h.country || '|' || h.reservation_scope || '|' || h.product_id
        || ':' || h.sku_id AS sku_key,
    h.partner_tenant_id || '|' || h.customer_id || '|' || h.country || '|'
        || h.azure_subscription_id || '|' || h.arm_region || '|' || h.reservation_scope || '|'
        || h.product_id || ':' || h.sku_id AS inventory_key
FROM change AS h
INNER JOIN snapshot AS s ON s.snapshot_id = h.snapshot_id
INNER JOIN partner_now AS p
    ON p.partner_tenant_id = h.partner_tenant_id
    AND s.sequence > COALESCE(p.previous_full_sequence, 0)
LEFT JOIN current_customer AS c
    ON c.partner_tenant_id = h.partner_tenant_id AND c.customer_id = h.customer_id
LEFT JOIN sku_name AS n
    ON n.partner_tenant_id = h.partner_tenant_id
    AND n.product_id = h.product_id
    AND n.sku_id = h.sku_id
WHERE h.kind = 'newly_restricted' AND NOT h.suspect;
