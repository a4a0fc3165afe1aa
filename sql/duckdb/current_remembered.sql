-- Facts about things that have no row in another relation, as known now.
-- Grain: one key and kind of fact (what).
-- Reads: the files named in the variable current_remembered_files.
CREATE VIEW current_remembered AS
SELECT r.*
FROM read_parquet(getvariable('current_remembered_files'), hive_partitioning = false) AS r
SEMI JOIN latest_cell AS c
    ON c.snapshot_id = r.snapshot_id
    AND c.partner_tenant_id = r.partner_tenant_id
    AND c.customer_id = r.customer_id
    AND c.country = r.country;
