-- The relation check_outcome: how each check ended.
-- Grain: one check.
-- Reads: this, settled_check.
-- A check that was sent as several calls takes the worst of their outcomes. If two calls ended
-- equally, the call with the last segment in order counts. So the order of the replies does not
-- matter.
SELECT
    this.snapshot_id,
    s.check_id,
    s.kind,
    this.partner_tenant_id,
    s.customer_id,
    s.country,
    s.azure_subscription_id,
    s.arm_region,
    s.reservation_scope,
    s.product_id,
    s.sku_id,
    arg_max(s.outcome, s.badness) AS outcome,
    arg_max(s.reason, s.badness) AS reason,
    arg_max(s.http_status, s.badness) AS http_status,
    arg_max(s.error_code, s.badness) AS error_code,
    arg_max(s.request_id, s.badness) AS request_id,
    arg_max(s.correlation_id, s.badness) AS correlation_id,
    arg_max(s.attempts, s.badness) AS attempts,
    max(s.checked_at) AS checked_at
FROM (
    SELECT
        *,
        (
            list_position(['not_eligible', 'answered', 'skipped', 'failed'], outcome),
            settled_check.segment
        ) AS badness
    FROM settled_check
) AS s
CROSS JOIN this
GROUP BY ALL;
