-- Every published snapshot.
-- Grain:  one snapshot.      Reads:  the files that the variable snapshot_files names.
CREATE VIEW snapshot AS
SELECT *
FROM read_parquet(getvariable('snapshot_files'), hive_partitioning = false);
