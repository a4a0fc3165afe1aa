-- The restrictions of every inventory row, for every snapshot that is not pruned.
-- Grain:  one snapshot, inventory key and ordinal.      Reads:  the files that the variable restriction_files names.
CREATE VIEW restriction AS
SELECT *
FROM read_parquet(getvariable('restriction_files'), hive_partitioning = false);
