-- Every published change.
-- Grain: one change.
CREATE VIEW change AS
SELECT
    event_id, snapshot_id, business_date, subject, kind, partner_tenant_id, customer_id, country,
    azure_subscription_id, arm_region, reservation_scope, product_id, sku_id, segment,
    term_duration, billing_cycle, ordinal, verdict_before, verdict_after, reason_codes_before,
    reason_codes_after, restriction_values_before, restriction_values_after, detail,
    before_snapshot_id, before_at, after_at, gap_snapshots, suspect, affected_customers
FROM auditor_tables.change;
