-- Which cells each snapshot covers, and how well.
-- Grain:  one snapshot and cell.      Reads:  the files that the variable coverage_files names.
CREATE VIEW coverage AS
SELECT *
FROM read_parquet(getvariable('coverage_files'), hive_partitioning = false);
