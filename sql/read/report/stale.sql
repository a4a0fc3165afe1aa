-- How many verdicts are older than the partner's newest full run. They are stale: see
-- latest_inventory.
-- Grain: one partner and kind of check.
-- Reads: reported, shown_inventory, shown_availability.
WITH known AS (
    SELECT 'inventory' AS kind, partner_tenant_id, customer_id, checked_at, checked_snapshot_id
    FROM shown_inventory
    UNION ALL
    SELECT 'availability', partner_tenant_id, customer_id, checked_at, checked_snapshot_id
    FROM shown_availability
)
SELECT
    r.partner_name AS partner, k.kind,
    COUNT(*) AS keys,
    COUNT(DISTINCT NULLIF(k.customer_id, '')) AS customers,
    MIN(k.checked_at) AS oldest
FROM known AS k
INNER JOIN reported AS r
    ON r.partner_tenant_id = k.partner_tenant_id AND r.is_head AND k.checked_at < r.fresh_from
    AND k.checked_snapshot_id < r.fresh_snapshot_id
GROUP BY r.partner_name, k.kind
ORDER BY r.partner_name, k.kind;
