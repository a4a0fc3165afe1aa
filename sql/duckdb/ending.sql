-- Every verdict that ended without a change of its own.
-- Grain: one snapshot and inventory key.
-- Reads: the files named in the variable ending_files.
CREATE VIEW ending AS
SELECT *
FROM read_parquet(getvariable('ending_files'), hive_partitioning = false);
