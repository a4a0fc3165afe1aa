-- The state of each inventory key, and of each unanswered check that has no known key.
-- Grain: one inventory key, or one such check.
-- Reads: reported, shown_inventory and shown_unanswered (the rows of now, or of one snapshot).
-- state: the verdict, or `unknown` if there is none or it is stale (see latest_inventory). A stale
--        verdict may no longer be true
WITH known AS (
    SELECT
        r.partner_name, i.partner_tenant_id, i.customer_id, i.country,
        COALESCE(NULLIF(i.region, ''), NULLIF(i.arm_region, '')) AS region,
        i.product_id, i.sku_id,
        CASE
            WHEN i.checked_at < r.fresh_from AND i.checked_snapshot_id < r.fresh_snapshot_id
                THEN 'unknown'
            ELSE i.verdict
        END AS state
    FROM shown_inventory AS i
    INNER JOIN reported AS r ON r.partner_tenant_id = i.partner_tenant_id AND r.is_head
),
silent AS (
    SELECT
        r.partner_name, o.partner_tenant_id, o.customer_id, o.country,
        NULLIF(o.arm_region, '') AS region, o.product_id, o.sku_id, 'unknown' AS state
    FROM shown_unanswered AS o
    INNER JOIN reported AS r ON r.partner_tenant_id = o.partner_tenant_id AND r.is_head
    WHERE
        o.kind = 'inventory'
        AND NOT EXISTS (
            SELECT 1 FROM shown_inventory AS i
            WHERE
                i.partner_tenant_id = o.partner_tenant_id
                AND i.customer_id = o.customer_id
                AND i.country = o.country
                AND (o.azure_subscription_id = '' OR i.azure_subscription_id = o.azure_subscription_id)
                AND (o.arm_region = '' OR i.arm_region = o.arm_region)
                AND (o.product_id = '' OR i.product_id = o.product_id)
                AND (o.sku_id = '' OR i.sku_id = o.sku_id)
        )
),
either AS (
    SELECT * FROM known
    UNION ALL
    SELECT * FROM silent
)
SELECT
    e.partner_name, e.partner_tenant_id, e.customer_id, e.country,
    COALESCE(e.region, NULLIF(n.region, ''), '') AS region,
    COALESCE(n.family, '') AS family,
    e.product_id, e.sku_id, e.state
FROM either AS e
LEFT JOIN sku_name AS n
    ON n.partner_tenant_id = e.partner_tenant_id
    AND n.product_id = e.product_id
    AND n.sku_id = e.sku_id;
