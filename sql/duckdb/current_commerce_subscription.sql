-- The commerce subscriptions that each customer holds, as known now.
-- Grain: one commerce subscription.
-- Reads: the files named in the variable current_commerce_subscription_files.
CREATE VIEW current_commerce_subscription AS
SELECT r.*
FROM read_parquet(getvariable('current_commerce_subscription_files'), hive_partitioning = false) AS r
SEMI JOIN latest_cell AS c
    ON c.snapshot_id = r.snapshot_id
    AND c.partner_tenant_id = r.partner_tenant_id
    AND c.customer_id = r.customer_id
    AND c.country = '';
