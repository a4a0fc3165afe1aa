-- How many changes there are, suspect ones counted separately.
-- Grain: one subject, kind, and suspect or not.
-- Reads: change_row.
SELECT
    subject, kind, suspect,
    COUNT(*) AS rows,
    COUNT(DISTINCT NULLIF(customer_id, '')) AS customers,
    COUNT(DISTINCT product_id || ':' || sku_id) AS skus,
    CAST(COALESCE(SUM(affected_customers), 0) AS bigint) AS affected_customers
FROM change_row
GROUP BY subject, kind, suspect
ORDER BY suspect, rows DESC, subject, kind;
