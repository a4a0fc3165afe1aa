-- Each partner's last attempt, last full snapshot and last complete full snapshot.
-- Grain: one partner that was ever tried.
-- The last attempt is the last attempt of a full run. If there is none, it is the last of any run.
CREATE VIEW partner_night AS
WITH placed AS (
    SELECT
        a.*,
        ROW_NUMBER() OVER (
            PARTITION BY a.partner_tenant_id
            ORDER BY CASE WHEN a.kind = 'full' THEN 0 ELSE 1 END, a.started_at DESC, a.run_id DESC
        ) AS place
    FROM attempt AS a
),
complete AS (
    SELECT
        s.partner_tenant_id, s.snapshot_id, s.started_at, s.published_at,
        ROW_NUMBER() OVER (PARTITION BY s.partner_tenant_id ORDER BY s.sequence DESC) AS place
    FROM snapshot AS s
    WHERE s.kind = 'full' AND s.status = 'complete'
),
tried AS (
    SELECT partner_tenant_id FROM attempt
    UNION
    SELECT partner_tenant_id FROM snapshot
)
SELECT
    t.partner_tenant_id,
    COALESCE(a.partner_name, p.partner_name, '') AS partner_name,
    COALESCE(a.run_id, f.run_id, '') AS last_run_id,
    COALESCE(a.kind, f.kind, '') AS last_kind,
    COALESCE(a.started_at, f.started_at) AS last_started_at,
    COALESCE(a.ended_at, f.published_at) AS last_ended_at,
    a.exit AS last_exit,
    COALESCE(a.error_code, '') AS last_error_code,
    COALESCE(a.reason, '') AS last_reason,
    COALESCE(a.snapshot_id, f.snapshot_id, '') AS last_snapshot_id,
    COALESCE(f.snapshot_id, '') AS full_snapshot_id,
    f.started_at AS full_started_at,
    f.published_at AS full_published_at,
    COALESCE(f.status, '') AS full_status,
    COALESCE(c.snapshot_id, '') AS complete_snapshot_id,
    c.started_at AS complete_started_at,
    c.published_at AS complete_published_at,
    CAST(EXTRACT(EPOCH FROM (CURRENT_TIMESTAMP - c.published_at)) AS double precision) / 3600
        AS hours_since_complete,
    CAST(f.checks_failed + f.checks_skipped AS double precision)
        / NULLIF(f.checks_answered + f.checks_failed + f.checks_skipped, 0)
        AS checks_unknown_share
FROM tried AS t
LEFT JOIN placed AS a ON a.partner_tenant_id = t.partner_tenant_id AND a.place = 1
LEFT JOIN partner_now AS p ON p.partner_tenant_id = t.partner_tenant_id
LEFT JOIN snapshot AS f ON f.snapshot_id = p.newest_full_snapshot_id
LEFT JOIN complete AS c ON c.partner_tenant_id = t.partner_tenant_id AND c.place = 1;
