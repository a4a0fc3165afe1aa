-- The customers of each partner, as it is known now.
-- Grain:  one customer.
CREATE VIEW current_customer AS
SELECT
    snapshot_id, partner_tenant_id, customer_id, company_name, domain, country, relationship,
    reseller_id, qualifications
FROM known_customer;
