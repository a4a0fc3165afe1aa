-- The customers of each partner, for every snapshot that is not pruned.
-- Grain: one snapshot and customer of a partner.
-- Reads: the files named in the variable customer_files.
CREATE VIEW customer AS
SELECT *
FROM read_parquet(getvariable('customer_files'), hive_partitioning = false);
