-- The customers known now.
-- Grain: one customer of a partner, identified by customer_key.
CREATE VIEW dim_customer AS
SELECT
    customer_key, partner_tenant_id, partner_name, customer_id, company_name, domain, country,
    relationship, reseller_id, qualifications,
    partner_tenant_id || '|' || COALESCE(reseller_id, '') AS reseller_key
FROM latest_customer;
