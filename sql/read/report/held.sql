-- What is held back until the next snapshot confirms it.
-- Grain:  one row.      Reads:  change_row.
SELECT
    COUNT(*) AS keys,
    COUNT(DISTINCT partner_tenant_id || '|' || customer_id) AS customers
FROM change_row
WHERE suspect;
