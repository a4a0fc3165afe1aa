-- Every published change.
-- Grain: one change.
-- Reads: the files named in the variable change_files.
CREATE VIEW change AS
SELECT *
FROM read_parquet(getvariable('change_files'), hive_partitioning = false);
