-- What we do not know, and why.
-- Grain:  one partner, kind of question, outcome and reason.
-- A check is a question, and may stand for many SKUs. never_answered: those without any answer so
-- far; the others have an old one, the oldest of which was asked for at oldest_answer_at.
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
