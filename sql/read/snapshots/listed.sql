-- Every snapshot for people, the newest first.
-- Grain: one snapshot.
-- Binds: time_zone (of published_at).
WITH asked AS (
    SELECT
        s.snapshot_id, s.partner_tenant_id,
        UNNEST(FROM_JSON(s.scope, '{"only_customers":["VARCHAR"]}').only_customers) AS customer
    FROM snapshot AS s
    WHERE s.kind = 'partial'
),
named AS (
    SELECT
        a.snapshot_id,
        MIN(COALESCE(NULLIF(c.company_name, ''), a.customer)) AS first_name,
        COUNT(*) AS customers
    FROM asked AS a
    LEFT JOIN current_customer AS c
        ON c.partner_tenant_id = a.partner_tenant_id AND c.customer_id = a.customer
    GROUP BY a.snapshot_id
)
SELECT
    s.snapshot_id, s.partner_name AS partner,
    STRFTIME(s.published_at AT TIME ZONE $time_zone, '%Y-%m-%d %H:%M') AS published,
    s.kind,
    CASE
        WHEN s.kind = 'full' THEN 'all customers'
        WHEN n.customers = 1 THEN n.first_name
        WHEN n.customers > 1
            THEN n.first_name || ' and ' || CAST(n.customers - 1 AS varchar) || ' more'
        ELSE COALESCE(ARRAY_TO_STRING(
            FROM_JSON(s.scope, '{"only_countries":["VARCHAR"]}').only_countries, ', '
        ), '')
    END AS asked_for,
    s.trigger, s.status, s.calls, s.checks_answered AS answered,
    s.checks_failed + s.checks_skipped AS no_answer, s.changes
FROM snapshot AS s
LEFT JOIN named AS n ON n.snapshot_id = s.snapshot_id
ORDER BY s.sequence DESC;
