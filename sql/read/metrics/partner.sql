-- The figures of each partner for monitoring: its last attempt, its snapshots, its unknown shares.
-- Grain: one partner that was ever tried.
SELECT
    p.partner_tenant_id,
    p.last_kind,
    p.last_started_at,
    p.last_ended_at,
    p.last_exit,
    p.last_error_code,
    p.full_snapshot_id,
    p.full_published_at,
    p.full_status,
    p.complete_published_at,
    p.checks_unknown_share,
    p.customers_unknown_share,
    p.keys_unknown_share,
    s.checks_answered,
    s.checks_failed,
    s.checks_skipped,
    s.checks_not_eligible,
    s.listings_failed,
    s.customers_unlisted,
    s.inventory_rows,
    s.availability_rows,
    s.calls,
    s.retries,
    s.throttled
FROM partner_status AS p
LEFT JOIN snapshot AS s ON s.snapshot_id = p.full_snapshot_id
ORDER BY p.partner_tenant_id
