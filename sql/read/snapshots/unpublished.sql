-- The attempts that published nothing, the newest first.
-- Grain: one run and partner.
-- Binds: time_zone (of the times).
SELECT
    a.run_id, a.partner_name AS partner,
    STRFTIME(a.started_at AT TIME ZONE $time_zone, '%Y-%m-%d %H:%M') AS started,
    a.kind, a.trigger, a.exit, a.error_code AS error, a.reason
FROM attempt AS a
WHERE a.snapshot_id = ''
ORDER BY a.started_at DESC, a.run_id DESC, a.partner_name;
