-- Every try of a run to audit a partner, even if nothing was published.
-- Grain: one run and partner.
-- Reads: the files named in the variable attempt_files.
CREATE VIEW attempt AS
SELECT *
FROM read_parquet(getvariable('attempt_files'), hive_partitioning = false);
