-- How every check ended, for every snapshot that is not pruned.
-- Grain: one snapshot and check.
-- Reads: the files named in the variable check_outcome_files.
CREATE VIEW check_outcome AS
SELECT *
FROM read_parquet(getvariable('check_outcome_files'), hive_partitioning = false);
