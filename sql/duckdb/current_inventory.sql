-- Everything known of each inventory key, as known now.
-- Grain: one inventory key.
-- An older version wrote restriction_values in the letter case in which they were sent.
-- Reads: the files named in the variable current_inventory_files.
CREATE VIEW current_inventory AS
SELECT r.* REPLACE (lower(r.restriction_values) AS restriction_values)
FROM read_parquet(getvariable('current_inventory_files'), hive_partitioning = false) AS r
SEMI JOIN latest_cell AS c
    ON c.snapshot_id = r.snapshot_id
    AND c.partner_tenant_id = r.partner_tenant_id
    AND c.customer_id = r.customer_id
    AND c.country = r.country;
