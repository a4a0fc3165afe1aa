-- When most keys of each check were asked.
-- Grain:  one check.      Reads:  stated, rows of the relation inventory of one bucket.
CREATE OR REPLACE TEMP TABLE inventory_checked AS
WITH counted AS (
    SELECT
        snapshot_id, partner_tenant_id, customer_id, country, azure_subscription_id, arm_region,
        reservation_scope, product_id, checked_at, checked_snapshot_id,
        COUNT(*) AS keys
    FROM stated
    GROUP BY ALL
)
SELECT * EXCLUDE (keys)
FROM counted
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY
        partner_tenant_id, customer_id, country, azure_subscription_id, arm_region,
        reservation_scope, product_id
    ORDER BY keys DESC, checked_at DESC NULLS LAST, checked_snapshot_id DESC
) = 1;
