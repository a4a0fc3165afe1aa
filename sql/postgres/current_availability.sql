-- What can be bought, as known now.
-- Grain: one availability key.
-- The view availability joins the times in the same way: it says why the joins are written twice.
CREATE VIEW current_availability AS
SELECT
    l.snapshot_id, i.partner_tenant_id, i.customer_id, i.country, i.product_id,
    i.sku_id, i.segment, i.reservation_scope, i.term_duration, i.billing_cycle, i.ordinal,
    i.verdict, i.availability_id, i.catalog_item_id, i.term_id, i.market, i.currency,
    i.is_renewable, i.renew_to, i.lifecycle, i.min_commitment,
    CASE WHEN a.snapshot_id IS NULL THEN c.checked_at ELSE a.checked_at END
        AS checked_at,
    CASE WHEN a.snapshot_id IS NULL THEN c.checked_snapshot_id ELSE a.checked_snapshot_id END
        AS checked_snapshot_id,
    i.verdict_since_at, i.verdict_since_snapshot_id, i.pending_verdict, i.pending_snapshot_id
FROM availability_interval AS i
INNER JOIN latest AS l
    ON l.partner_tenant_id = i.partner_tenant_id
    AND l.customer_id = i.customer_id
    AND l.country = i.country
LEFT JOIN availability_checked AS c
    ON c.snapshot_id = l.snapshot_id
    AND c.bucket = i.bucket
    AND c.partner_tenant_id = i.partner_tenant_id
    AND c.customer_id = i.customer_id
    AND c.country = i.country
    AND c.product_id = i.product_id
    AND c.sku_id = i.sku_id
    AND c.reservation_scope = i.reservation_scope
LEFT JOIN availability_checked_apart AS a
    ON a.snapshot_id = l.snapshot_id
    AND a.bucket = i.bucket
    AND a.partner_tenant_id = i.partner_tenant_id
    AND a.customer_id = i.customer_id
    AND a.country = i.country
    AND a.product_id = i.product_id
    AND a.sku_id = i.sku_id
    AND a.segment = i.segment
    AND a.reservation_scope = i.reservation_scope
    AND a.term_duration = i.term_duration
    AND a.billing_cycle = i.billing_cycle
    AND a.ordinal = i.ordinal
WHERE i.valid_to IS NULL;
