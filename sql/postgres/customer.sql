-- The customers of each partner, for every snapshot that is not pruned.
-- Grain: one snapshot and customer of a partner.
CREATE VIEW customer AS
SELECT
    v.snapshot_id, i.partner_tenant_id, i.customer_id, i.company_name, i.domain, i.country,
    i.relationship, i.reseller_id, i.qualifications
FROM held_cell AS v
INNER JOIN customer_interval AS i
    ON v.partner_tenant_id = i.partner_tenant_id
    AND v.customer_id = i.customer_id
    AND v.country = ''
    AND i.valid_from <= v.sequence
    AND (i.valid_to IS NULL OR i.valid_to > v.sequence);
