-- What each customer holds, for every snapshot that is not pruned.
-- Grain:  one snapshot and commerce subscription.      Reads:  the files that the variable commerce_subscription_files names.
CREATE VIEW commerce_subscription AS
SELECT *
FROM read_parquet(getvariable('commerce_subscription_files'), hive_partitioning = false);
