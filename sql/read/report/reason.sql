-- The checks that were not asked or not answered, and why.
-- Grain: one outcome, kind of check and reason.
-- Reads: shown_check_outcome.
SELECT
    outcome, kind, reason,
    COUNT(*) AS checks,
    COUNT(DISTINCT partner_tenant_id || '|' || customer_id) AS customers
FROM shown_check_outcome
WHERE outcome <> 'answered'
GROUP BY outcome, kind, reason
ORDER BY outcome, checks DESC, kind, reason;
