-- The catalog of each country and reservation scope, as known now.
-- Grain: one partner, country, reservation scope and SKU.
-- Reads: the files named in the variable current_sku_files.
CREATE VIEW current_sku AS
SELECT r.*
FROM read_parquet(getvariable('current_sku_files'), hive_partitioning = false) AS r
SEMI JOIN latest_cell AS c
    ON c.snapshot_id = r.snapshot_id
    AND c.partner_tenant_id = r.partner_tenant_id
    AND c.customer_id = ''
    AND c.country = r.country;
