-- The Azure subscriptions that only the later of two snapshots has, without those that come back
-- and those whose plan or customer was never listed before.
-- Grain: one Azure subscription of a customer.
-- Binds: before, after (ids of snapshots).
SELECT a.customer_id, a.azure_subscription_id
FROM azure_subscription AS a
WHERE a.snapshot_id = $after AND NOT EXISTS (
    FROM azure_subscription AS b
    WHERE b.snapshot_id = $before AND b.customer_id = a.customer_id
    AND b.azure_subscription_id = a.azure_subscription_id
) AND NOT EXISTS (
    FROM remembered AS r
    WHERE r.snapshot_id = $before AND r.customer_id = a.customer_id AND (
        (r.what = 'left_subscription' AND r.azure_subscription_id = a.azure_subscription_id)
        OR (r.what = 'unlisted' AND r.azure_subscription_id IN ('', a.plan_id))
    )
);
