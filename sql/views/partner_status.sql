-- Each partner's last attempt and last full snapshots, and the shares of its checks, customers and
-- keys that are unknown.
-- Grain: one partner that was ever tried.
CREATE VIEW partner_status AS
WITH customers AS (
    SELECT
        c.partner_tenant_id,
        COUNT(*) AS customers,
        COUNT(u.customer_id) AS unknown
    FROM current_customer AS c
    LEFT JOIN (SELECT DISTINCT partner_tenant_id, customer_id FROM unanswered) AS u
        ON u.partner_tenant_id = c.partner_tenant_id AND u.customer_id = c.customer_id
    GROUP BY c.partner_tenant_id
),
keys AS (
    SELECT
        partner_tenant_id,
        COUNT(*) AS keys,
        COUNT(CASE WHEN is_stale THEN 1 END) AS unknown
    FROM latest_inventory
    GROUP BY partner_tenant_id
)
SELECT
    n.*,
    CAST(m.unknown AS double precision) / NULLIF(m.customers, 0) AS customers_unknown_share,
    CAST(k.unknown AS double precision) / NULLIF(k.keys, 0) AS keys_unknown_share
FROM partner_night AS n
LEFT JOIN customers AS m ON m.partner_tenant_id = n.partner_tenant_id
LEFT JOIN keys AS k ON k.partner_tenant_id = n.partner_tenant_id;
