-- The regions that the catalog or a current row names.
-- Grain: one region, '' for SKUs without a region.
CREATE VIEW dim_region AS
WITH named AS (
    SELECT region, region_name FROM current_sku
    UNION ALL
    SELECT region, '' FROM current_inventory
    UNION ALL
    SELECT arm_region, '' FROM current_check_outcome
    UNION ALL
    SELECT '', ''
)
SELECT COALESCE(region, '') AS region, COALESCE(MAX(region_name), '') AS region_name
FROM named
GROUP BY COALESCE(region, '');
