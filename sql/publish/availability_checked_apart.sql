-- The keys that were asked at another time than most of their check.
-- Grain:  one key.      Reads:  stated, rows of the relation availability, and availability_checked.
SELECT
    s.snapshot_id, s.partner_tenant_id, s.customer_id, s.country, s.product_id, s.sku_id,
    s.segment, s.reservation_scope, s.term_duration, s.billing_cycle, s.ordinal, s.checked_at,
    s.checked_snapshot_id
FROM stated AS s
INNER JOIN availability_checked AS c
    ON c.partner_tenant_id = s.partner_tenant_id
    AND c.customer_id = s.customer_id
    AND c.country = s.country
    AND c.product_id = s.product_id
    AND c.sku_id = s.sku_id
    AND c.reservation_scope = s.reservation_scope
WHERE
    s.checked_at IS DISTINCT FROM c.checked_at
    OR s.checked_snapshot_id IS DISTINCT FROM c.checked_snapshot_id;
