-- What became of every check of every snapshot that is not pruned.
-- Grain:  one snapshot and check.      Reads:  the files that the variable check_outcome_files names.
CREATE VIEW check_outcome AS
SELECT *
FROM read_parquet(getvariable('check_outcome_files'), hive_partitioning = false);
