-- What can be bought, for every snapshot that is not pruned.
-- Grain: one snapshot and availability key.
-- Reads: the files named in the variable availability_files.
CREATE VIEW availability AS
SELECT *
FROM read_parquet(getvariable('availability_files'), hive_partitioning = false);
