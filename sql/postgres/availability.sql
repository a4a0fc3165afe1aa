-- What can be bought, for every snapshot that is not pruned.
-- Grain: one snapshot and availability key.
-- current_availability joins the times in the same way, and the joins stay written twice. It reads
-- the partial index of open intervals, which a view over this view could not use.
CREATE VIEW availability AS
SELECT
    v.snapshot_id, i.partner_tenant_id, i.customer_id, i.country, i.product_id, i.sku_id,
    i.segment, i.reservation_scope, i.term_duration, i.billing_cycle, i.ordinal, i.verdict,
    i.availability_id, i.catalog_item_id, i.term_id, i.market, i.currency, i.is_renewable,
    i.renew_to, i.lifecycle, i.min_commitment,
    CASE WHEN a.snapshot_id IS NULL THEN c.checked_at ELSE a.checked_at END
        AS checked_at,
    CASE WHEN a.snapshot_id IS NULL THEN c.checked_snapshot_id ELSE a.checked_snapshot_id END
        AS checked_snapshot_id,
    i.verdict_since_at, i.verdict_since_snapshot_id, i.pending_verdict, i.pending_snapshot_id
FROM held_cell AS v
INNER JOIN availability_interval AS i
    ON v.partner_tenant_id = i.partner_tenant_id
    AND v.customer_id = i.customer_id
    AND v.country = i.country
    AND i.valid_from <= v.sequence
    AND (i.valid_to IS NULL OR i.valid_to > v.sequence)
LEFT JOIN availability_checked AS c
    ON c.snapshot_id = v.snapshot_id
    AND c.bucket = i.bucket
    AND c.partner_tenant_id = i.partner_tenant_id
    AND c.customer_id = i.customer_id
    AND c.country = i.country
    AND c.product_id = i.product_id
    AND c.sku_id = i.sku_id
    AND c.reservation_scope = i.reservation_scope
LEFT JOIN availability_checked_apart AS a
    ON a.snapshot_id = v.snapshot_id
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
    AND a.ordinal = i.ordinal;
