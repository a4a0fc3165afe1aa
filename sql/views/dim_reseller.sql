-- The resellers of the customers known now, and of their subscriptions.
-- Grain: one partner and reseller, identified by reseller_key; reseller_id '' for direct sales.
CREATE VIEW dim_reseller AS
WITH named AS (
    SELECT partner_tenant_id, COALESCE(reseller_id, '') AS reseller_id, 1 AS customers
    FROM current_customer
    UNION ALL
    SELECT partner_tenant_id, COALESCE(reseller_id, ''), 0 FROM current_azure_subscription
    UNION ALL
    SELECT partner_tenant_id, COALESCE(reseller_id, ''), 0 FROM current_commerce_subscription
)
SELECT
    n.partner_tenant_id || '|' || n.reseller_id AS reseller_key,
    n.partner_tenant_id, p.partner_name, n.reseller_id,
    COUNT(CASE WHEN n.customers = 1 THEN 1 END) AS customers
FROM named AS n
INNER JOIN partner_now AS p ON p.partner_tenant_id = n.partner_tenant_id
GROUP BY n.partner_tenant_id, p.partner_name, n.reseller_id;
