-- The commerce subscriptions that each customer holds, for every snapshot that is not pruned.
-- Grain: one snapshot and commerce subscription.
-- Reads: the files named in the variable commerce_subscription_files.
CREATE VIEW commerce_subscription AS
SELECT *
FROM read_parquet(getvariable('commerce_subscription_files'), hive_partitioning = false);
