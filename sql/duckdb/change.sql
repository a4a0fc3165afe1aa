-- Every change that was published.
-- Grain:  one change.      Reads:  the files that the variable change_files names.
CREATE VIEW change AS
SELECT *
FROM read_parquet(getvariable('change_files'), hive_partitioning = false);
