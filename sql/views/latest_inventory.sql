-- The known row of each inventory key now, with names, age and one-column keys.
-- Grain: one inventory key.
-- is_stale: after the partner's newest full run began, the key was not answered, and the catalog did
-- not confirm it. A cached listing is older than the run that uses it, so the snapshot is compared
-- too: its id begins with the start of its run. The age counts up to the partner's newest
-- publication, not to the current time, so the same store always gives the same age.
CREATE VIEW latest_inventory AS
SELECT
    i.*,
    COALESCE(c.company_name, '') AS company_name,
    COALESCE(n.product_title, '') AS product_title,
    COALESCE(n.sku_title, '') AS sku_title,
    COALESCE(n.arm_sku_name, '') AS arm_sku_name,
    COALESCE(
        i.checked_at < p.newest_full_started_at
        AND i.checked_snapshot_id < p.newest_full_snapshot_id, false
    ) AS is_stale,
    CAST(EXTRACT(EPOCH FROM (p.newest_published_at - i.checked_at)) AS double precision) / 3600
        AS answer_age_hours,
    i.partner_tenant_id || '|' || i.customer_id AS customer_key,
    i.partner_tenant_id || '|' || i.country || '|' || i.reservation_scope || '|' || i.product_id
        || ':' || i.sku_id AS sku_key,
    i.partner_tenant_id || '|' || i.customer_id || '|' || i.country || '|'
        || i.azure_subscription_id || '|' || i.arm_region || '|' || i.reservation_scope || '|'
        || i.product_id || ':' || i.sku_id AS inventory_key
FROM current_inventory AS i
INNER JOIN partner_now AS p ON p.partner_tenant_id = i.partner_tenant_id
LEFT JOIN current_customer AS c
    ON c.partner_tenant_id = i.partner_tenant_id AND c.customer_id = i.customer_id
LEFT JOIN sku_name AS n
    ON n.partner_tenant_id = i.partner_tenant_id
    AND n.product_id = i.product_id
    AND n.sku_id = i.sku_id;
