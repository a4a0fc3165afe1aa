-- What is unknown, grouped so that one fault gives one row.
-- Grain: one partner, customer, country, kind, outcome and reason.
-- Reads: reported, shown_unanswered.
-- correlation_id is from one of the checks. Users can give it to Microsoft's support.
SELECT
    r.partner_name AS partner, o.customer_id,
    COALESCE(MAX(c.company_name), '') AS company_name,
    o.country, o.kind, o.outcome, o.reason,
    COUNT(*) AS checks,
    MIN(o.since) AS since,
    COALESCE(MAX(o.correlation_id), '') AS correlation_id
FROM shown_unanswered AS o
INNER JOIN reported AS r ON r.partner_tenant_id = o.partner_tenant_id AND r.is_head
LEFT JOIN current_customer AS c
    ON c.partner_tenant_id = o.partner_tenant_id AND c.customer_id = o.customer_id
GROUP BY r.partner_name, o.customer_id, o.country, o.kind, o.outcome, o.reason
ORDER BY checks DESC, partner, company_name, o.customer_id, o.country, o.kind, o.outcome, o.reason;
