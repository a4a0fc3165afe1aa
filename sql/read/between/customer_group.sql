-- The customers of the compared cells, in groups of about so many rows; the catalog ('') is last.
-- Grain: one customer.
-- Binds: at_once (rows of a group).
-- Reads: cell (the cells that both snapshots cover), differing_inventory, differing_availability.
WITH differing AS (
    SELECT customer_id FROM differing_inventory
    UNION ALL
    SELECT customer_id FROM differing_availability
),
sized AS (
    SELECT c.customer_id, COALESCE(d.count, 0) AS count
    FROM (SELECT DISTINCT customer_id FROM cell) AS c
    LEFT JOIN (SELECT customer_id, COUNT(*) AS count FROM differing GROUP BY customer_id) AS d
        ON d.customer_id = c.customer_id
)
SELECT
    customer_id,
    CAST(SUM(count) OVER (ORDER BY customer_id = '', customer_id) AS BIGINT) // $at_once AS place
FROM sized
ORDER BY customer_id = '', customer_id;
