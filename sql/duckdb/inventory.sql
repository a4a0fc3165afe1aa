-- Everything known of each inventory key, for every snapshot that is not pruned.
-- Grain: one snapshot and inventory key.
-- Reads: the files named in the variable inventory_files.
CREATE VIEW inventory AS
SELECT *
FROM read_parquet(getvariable('inventory_files'), hive_partitioning = false);
