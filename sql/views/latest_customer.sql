-- The customers known now, with the name of their partner.
-- Grain: one customer of a partner.
CREATE VIEW latest_customer AS
SELECT
    c.*,
    p.partner_name,
    c.partner_tenant_id || '|' || c.customer_id AS customer_key
FROM current_customer AS c
INNER JOIN partner_now AS p ON p.partner_tenant_id = c.partner_tenant_id;
