-- Changes grouped by what they have in common.
-- Grain: one subject, kind, product, region, set of reason codes, and suspect or not.
-- Reads: change_row (changes with names).
-- A change of the catalog itself has one row in each country, for all affected customers there.
-- The customers of two countries are different, so the numbers of countries are added up. Several
-- SKUs may affect the same customers, so the numbers of SKUs are not added: the largest is taken.
WITH of_sku AS (
    SELECT *, CAST(SUM(CASE WHEN customer_id = '' THEN affected_customers ELSE 0 END) OVER (
        PARTITION BY subject, kind, reservation_scope, product_id, sku_id
    ) AS BIGINT) AS affected
    FROM change_row
),
gathered AS (
    SELECT
        subject, kind, product_title, region,
        CASE WHEN kind = 'restriction_lifted' THEN reason_codes_before ELSE reason_codes_after END
            AS reason_codes,
        suspect,
        COUNT(DISTINCT product_id || ':' || sku_id) AS skus,
        GREATEST(
            COUNT(DISTINCT NULLIF(customer_id, '')),
            MAX(affected)
        ) AS customers,
        COUNT(*) AS keys,
        COUNT(DISTINCT partner_tenant_id) AS partners
    FROM of_sku
    GROUP BY ALL
)
SELECT
    *,
    concat_ws(
        ', ',
        skus || CASE WHEN skus = 1 THEN ' SKU' ELSE ' SKUs' END,
        NULLIF(region, ''),
        customers || CASE WHEN customers = 1 THEN ' customer' ELSE ' customers' END
    ) AS cause
FROM gathered
ORDER BY suspect, keys DESC, subject, kind, product_title, region, reason_codes;
