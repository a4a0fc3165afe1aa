-- How many customers were asked about the SKUs, and for how many the answer is not a yes.
-- Grain: one row.
-- Reads: affected_key (the rows of read/affected/key). A stale verdict counts as unknown.
SELECT
    COUNT(DISTINCT customer_key) AS asked,
    COUNT(DISTINCT CASE
        WHEN NOT is_stale AND verdict NOT IN ('unrestricted', 'purchasable', 'unknown')
            THEN customer_key
    END) AS affected,
    COUNT(DISTINCT CASE WHEN NOT is_stale AND verdict = 'restricted' THEN customer_key END)
        AS restricted,
    COUNT(DISTINCT CASE WHEN NOT is_stale AND verdict = 'not_in_catalog' THEN customer_key END)
        AS not_in_catalog,
    COUNT(DISTINCT CASE WHEN NOT is_stale AND verdict = 'not_purchasable' THEN customer_key END)
        AS not_purchasable,
    COUNT(DISTINCT CASE WHEN is_stale OR verdict = 'unknown' THEN customer_key END) AS unknown
FROM affected_key
WHERE customer_id <> '';
