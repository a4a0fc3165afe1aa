-- Who a customer is, and how much is known of it.
-- Grain: one partner that has the customer.
-- Binds: customer_id. stale_keys counts keys whose answer is older than the newest full run;
-- silent_checks those without an answer in it. A customer that left has no name any more.
WITH key_of AS (
    SELECT i.partner_tenant_id, i.verdict, i.is_stale, i.checked_at
    FROM latest_inventory AS i
    WHERE i.customer_id = $customer_id
    UNION ALL
    SELECT a.partner_tenant_id, a.verdict, a.is_stale, a.checked_at
    FROM latest_availability AS a
    WHERE a.customer_id = $customer_id
),
counted AS (
    SELECT
        k.partner_tenant_id, COUNT(*) AS keys, MAX(k.checked_at) AS last_asked_at,
        COUNT(CASE WHEN k.is_stale THEN 1 END) AS stale_keys
    FROM key_of AS k
    GROUP BY k.partner_tenant_id
)
SELECT
    p.partner_name, p.partner_tenant_id, c.customer_id, c.company_name, c.domain, c.country,
    c.reseller_id, c.relationship, COALESCE(n.keys, 0) AS keys,
    COALESCE(n.stale_keys, 0) AS stale_keys, n.last_asked_at
FROM current_customer AS c
INNER JOIN partner_now AS p ON p.partner_tenant_id = c.partner_tenant_id
LEFT JOIN counted AS n ON n.partner_tenant_id = c.partner_tenant_id
WHERE c.customer_id = $customer_id
ORDER BY p.partner_name;
