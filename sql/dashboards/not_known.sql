-- The checks that got no usable answer, and why.
-- Grain: one partner, kind of check, outcome and reason.
-- A check may cover many SKUs. never_answered: checks without any answer so far. The others have an old
-- answer; oldest_answer_at is when the oldest of these was asked for.
SELECT
    p.partner_name,
    u.kind,
    u.outcome,
    COALESCE(u.reason, '') AS reason,
    COUNT(*) AS checks,
    COUNT(DISTINCT NULLIF(u.customer_id, '')) AS customers,
    COUNT(CASE WHEN u.since IS NULL THEN 1 END) AS never_answered,
    MIN(u.since) AS oldest_answer_at
FROM unanswered AS u
INNER JOIN dim_partner AS p ON p.partner_tenant_id = u.partner_tenant_id
GROUP BY p.partner_name, u.kind, u.outcome, COALESCE(u.reason, '')
ORDER BY checks DESC, p.partner_name, u.kind, u.outcome, reason
