-- The restrictions of every inventory row, for every snapshot that is not pruned.
-- Grain: one snapshot and inventory key and ordinal.
-- Reads: the files named in the variable restriction_files.
CREATE VIEW restriction AS
SELECT *
FROM read_parquet(getvariable('restriction_files'), hive_partitioning = false);
