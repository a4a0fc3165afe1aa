-- The relation change: the changes of one bucket.
-- Grain: one change.
-- Reads: this, changed, gap (gap_snapshots of a cell and before_snapshot_id).
-- event_id is a hash of the key, the kind and both answers, so publishing a change again adds no
-- row.
SELECT
    sha256(CAST(json_array(
        this.partner_tenant_id, c.subject, c.kind, c.customer_id, c.country,
        c.azure_subscription_id, c.arm_region, c.reservation_scope, c.product_id, c.sku_id,
        c.segment, c.term_duration, c.billing_cycle, c.ordinal,
        c.verdict_before, c.reason_codes_before, c.restriction_values_before,
        epoch_us(c.before_at), c.verdict_after, c.reason_codes_after,
        c.restriction_values_after, epoch_us(c.after_at), CAST(c.suspect AS VARCHAR)
    ) AS VARCHAR)) AS event_id,
    this.snapshot_id,
    this.business_date,
    c.subject,
    c.kind,
    this.partner_tenant_id,
    c.customer_id,
    c.country,
    c.azure_subscription_id,
    c.arm_region,
    c.reservation_scope,
    c.product_id,
    c.sku_id,
    c.segment,
    c.term_duration,
    c.billing_cycle,
    CAST(c.ordinal AS BIGINT) AS ordinal,
    c.verdict_before,
    c.verdict_after,
    c.reason_codes_before,
    c.reason_codes_after,
    c.restriction_values_before,
    c.restriction_values_after,
    c.detail,
    c.before_snapshot_id,
    c.before_at,
    c.after_at,
    CAST(COALESCE(g.gap_snapshots, 0) AS BIGINT) AS gap_snapshots,
    c.suspect,
    CAST(c.affected_customers AS BIGINT) AS affected_customers
FROM changed AS c
CROSS JOIN this
LEFT JOIN gap AS g
    ON g.customer_id = c.customer_id AND g.country = c.country
    AND g.before_snapshot_id = c.before_snapshot_id;
