-- Everything known of each cell a snapshot covers, for every snapshot that is not pruned.
-- Grain:  one snapshot and inventory key.      Reads:  the files that the variable inventory_files names.
CREATE VIEW inventory AS
SELECT *
FROM read_parquet(getvariable('inventory_files'), hive_partitioning = false);
