-- The cells that each snapshot covers, and how completely.
-- Grain: one snapshot and cell.
-- Reads: the files named in the variable coverage_files.
CREATE VIEW coverage AS
SELECT *
FROM read_parquet(getvariable('coverage_files'), hive_partitioning = false);
