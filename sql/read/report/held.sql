-- How many suspect changes wait for the next snapshot to confirm them.
-- Grain: one row.
-- Reads: change_row.
SELECT
    COUNT(*) AS keys,
    COUNT(DISTINCT partner_tenant_id || '|' || customer_id) AS customers
FROM change_row
WHERE suspect;
