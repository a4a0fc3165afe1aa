-- Every published snapshot.
-- Grain: one snapshot.
-- Reads: the files named in the variable snapshot_files.
CREATE VIEW snapshot AS
SELECT *
FROM read_parquet(getvariable('snapshot_files'), hive_partitioning = false);
