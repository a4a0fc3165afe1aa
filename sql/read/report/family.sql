-- What is restricted now, by region and SKU family.
-- Grain: one region and family.
-- Reads: state.
SELECT
    region, family,
    COUNT(CASE WHEN state = 'restricted' THEN 1 END) AS restricted,
    COUNT(CASE WHEN state IN ('restricted', 'unrestricted') THEN 1 END) AS answered,
    COUNT(CASE WHEN state = 'unknown' THEN 1 END) AS unknown
FROM state
GROUP BY region, family
ORDER BY region, family;
