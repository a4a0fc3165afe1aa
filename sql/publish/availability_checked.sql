-- When most keys of each check were asked.
-- Grain:  one check.      Reads:  stated, rows of the relation availability of one bucket.
CREATE OR REPLACE TEMP TABLE availability_checked AS
WITH counted AS (
    SELECT
        snapshot_id, partner_tenant_id, customer_id, country, product_id, sku_id,
        reservation_scope, checked_at, checked_snapshot_id,
        COUNT(*) AS keys
    FROM stated
    GROUP BY ALL
)
SELECT * EXCLUDE (keys)
FROM counted
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY
        partner_tenant_id, customer_id, country, product_id, sku_id, reservation_scope
    ORDER BY keys DESC, checked_at DESC NULLS LAST, checked_snapshot_id DESC
) = 1;
