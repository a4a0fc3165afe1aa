-- The Azure subscriptions of each customer, for every snapshot that is not pruned.
-- Grain: one snapshot and Azure subscription.
-- Reads: the files named in the variable azure_subscription_files.
CREATE VIEW azure_subscription AS
SELECT *
FROM read_parquet(getvariable('azure_subscription_files'), hive_partitioning = false);
