-- The customers of each partner, as known now.
-- Grain: one customer of a partner.
-- Reads: the files named in the variable current_customer_files.
CREATE VIEW current_customer AS
SELECT r.*
FROM read_parquet(getvariable('current_customer_files'), hive_partitioning = false) AS r
SEMI JOIN latest_cell AS c
    ON c.snapshot_id = r.snapshot_id
    AND c.partner_tenant_id = r.partner_tenant_id
    AND c.customer_id = r.customer_id
    AND c.country = '';
