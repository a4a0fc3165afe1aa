-- The tenant id and each name of every partner that was ever tried.
-- Grain: one partner and name.
SELECT partner_tenant_id, partner_name FROM snapshot
UNION
SELECT partner_tenant_id, partner_name FROM attempt
ORDER BY partner_tenant_id, partner_name;
