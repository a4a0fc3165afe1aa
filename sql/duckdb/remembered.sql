-- Facts about things that have no row in another relation, for every snapshot that is not pruned.
-- Grain: one snapshot, key and kind of fact (what).
-- Reads: the files named in the variable remembered_files.
CREATE VIEW remembered AS
SELECT *
FROM read_parquet(getvariable('remembered_files'), hive_partitioning = false);
