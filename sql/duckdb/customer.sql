-- The customers of each partner, for every snapshot that is not pruned.
-- Grain:  one snapshot and customer.      Reads:  the files that the variable customer_files names.
CREATE VIEW customer AS
SELECT *
FROM read_parquet(getvariable('customer_files'), hive_partitioning = false);
