-- How each partner's runs went on each day, and how much of that day's newest full snapshot is
-- unanswered.
-- Grain: one date and partner, for every day from the partner's first to its newest.
-- A day on which nothing was tried, or nothing complete was published, is a row too.
-- The day of an attempt is the business date of the snapshot of its run. A run that published
-- nothing has no business date: its attempt counts on the day on which it started in UTC.
-- A snapshot whose attempt is not recorded (an older release made it, or the attempt was pruned)
-- counts as one attempt. The shares are of the day's newest complete full snapshot, or if there is
-- none, of its newest full one.
CREATE VIEW fact_run_day AS
WITH tried AS (
    SELECT
        a.partner_tenant_id,
        COALESCE(s.business_date, CAST(a.started_at AT TIME ZONE 'UTC' AS date)) AS date,
        a.kind, a.started_at, a.run_id, a.exit, a.error_code, a.reason,
        COALESCE(a.calls, 0) AS calls
    FROM attempt AS a
    LEFT JOIN snapshot AS s
        ON s.partner_tenant_id = a.partner_tenant_id AND s.run_id = a.run_id
    UNION ALL
    SELECT
        s.partner_tenant_id, s.business_date, s.kind, s.started_at, s.run_id,
        CASE WHEN s.status = 'complete' THEN 0 ELSE 3 END, '', '', COALESCE(s.calls, 0)
    FROM snapshot AS s
    WHERE NOT EXISTS (
        SELECT 1 FROM attempt AS a
        WHERE a.partner_tenant_id = s.partner_tenant_id AND a.run_id = s.run_id
    )
),
span AS (
    SELECT partner_tenant_id, MIN(date) AS first_date, MAX(date) AS last_date
    FROM tried
    GROUP BY partner_tenant_id
),
partner_day AS (
    SELECT s.partner_tenant_id, d.date
    FROM span AS s
    INNER JOIN dim_date AS d ON d.date >= s.first_date AND d.date <= s.last_date
),
counted AS (
    SELECT
        partner_tenant_id, date,
        COUNT(*) AS attempts,
        COUNT(CASE WHEN kind = 'full' THEN 1 END) AS full_attempts,
        COUNT(CASE WHEN exit = 0 THEN 1 END) AS attempts_complete,
        COUNT(CASE WHEN exit = 3 THEN 1 END) AS attempts_incomplete,
        COUNT(CASE WHEN exit IS NULL OR exit NOT IN (0, 3) THEN 1 END) AS attempts_failed,
        CAST(SUM(calls) AS bigint) AS calls
    FROM tried
    GROUP BY partner_tenant_id, date
),
last_try AS (
    SELECT
        t.*,
        ROW_NUMBER() OVER (
            PARTITION BY t.partner_tenant_id, t.date
            ORDER BY
                CASE WHEN t.kind = 'full' THEN 0 ELSE 1 END, t.started_at DESC, t.run_id DESC
        ) AS place
    FROM tried AS t
),
placed AS (
    SELECT
        s.*,
        ROW_NUMBER() OVER (
            PARTITION BY s.partner_tenant_id, s.business_date
            ORDER BY CASE WHEN s.status = 'complete' THEN 0 ELSE 1 END, s.sequence DESC
        ) AS place
    FROM snapshot AS s
    WHERE s.kind = 'full'
),
customer_of AS (
    SELECT
        snapshot_id, partner_tenant_id, customer_id,
        MAX(CASE WHEN status IN ('partly', 'failed') THEN 1 ELSE 0 END) AS is_unknown
    FROM coverage
    WHERE customer_id <> '' AND status <> 'left'
    GROUP BY snapshot_id, partner_tenant_id, customer_id
),
customers AS (
    SELECT snapshot_id, COUNT(*) AS customers, SUM(is_unknown) AS unknown
    FROM customer_of
    GROUP BY snapshot_id
)
SELECT
    d.date,
    d.partner_tenant_id,
    COALESCE(c.attempts, 0) AS attempts,
    COALESCE(c.full_attempts, 0) AS full_attempts,
    COALESCE(c.attempts_complete, 0) AS attempts_complete,
    COALESCE(c.attempts_incomplete, 0) AS attempts_incomplete,
    COALESCE(c.attempts_failed, 0) AS attempts_failed,
    COALESCE(c.calls, 0) AS calls,
    t.exit AS last_exit,
    COALESCE(t.error_code, '') AS last_error_code,
    COALESCE(t.reason, '') AS last_reason,
    COALESCE(p.status = 'complete', false) AS is_complete,
    COALESCE(p.snapshot_id, '') AS snapshot_id,
    p.checks_answered, p.checks_failed, p.checks_skipped,
    CAST(p.checks_failed + p.checks_skipped AS double precision)
        / NULLIF(p.checks_answered + p.checks_failed + p.checks_skipped, 0)
        AS checks_unknown_share,
    CAST(m.unknown AS double precision) / NULLIF(m.customers, 0) AS customers_unknown_share
FROM partner_day AS d
LEFT JOIN counted AS c ON c.partner_tenant_id = d.partner_tenant_id AND c.date = d.date
LEFT JOIN last_try AS t
    ON t.partner_tenant_id = d.partner_tenant_id AND t.date = d.date AND t.place = 1
LEFT JOIN placed AS p
    ON p.partner_tenant_id = d.partner_tenant_id AND p.business_date = d.date AND p.place = 1
LEFT JOIN customers AS m ON m.snapshot_id = p.snapshot_id;
