-- The customers of each partner, as known now.
-- Grain: one customer of a partner.
CREATE VIEW current_customer AS
SELECT
    l.snapshot_id, i.partner_tenant_id, i.customer_id, i.company_name, i.domain,
    i.country, i.relationship, i.reseller_id, i.qualifications
FROM customer_interval AS i
INNER JOIN latest AS l
    ON l.partner_tenant_id = i.partner_tenant_id
    AND l.customer_id = i.customer_id
    AND l.country = ''
WHERE i.valid_to IS NULL;
