-- How many keys of each place could have changed.
-- Grain: one source, owner and place (the columns of placed). The owner is one holder or customer,
-- or NULL for the keys of everybody.
-- Reads: known_key, changed_key.
WITH own AS (
    SELECT k.source, k.customer, k.holder, k.region_key, k.family_key, k.keys
    FROM known_key AS k
    SEMI JOIN changed_key AS c ON c.source = k.source AND c.customer = k.customer
    WHERE NOT k.is_item
)
SELECT
    source, 'region_family' AS place_of, holder AS owner, hash(region_key, family_key) AS place, keys
FROM own
SEMI JOIN changed_key USING (source, holder, region_key, family_key)
UNION ALL
SELECT source, 'region', holder, hash(region_key), SUM(keys)
FROM own
SEMI JOIN changed_key USING (source, holder, region_key)
GROUP BY ALL
UNION ALL
SELECT source, 'family', holder, hash(family_key), SUM(keys)
FROM own
SEMI JOIN changed_key USING (source, holder, family_key)
GROUP BY ALL
UNION ALL
SELECT source, 'holder', holder, holder, SUM(keys)
FROM own
SEMI JOIN changed_key USING (source, holder)
GROUP BY ALL
UNION ALL
SELECT source, 'customer', customer, customer, SUM(keys)
FROM own
GROUP BY ALL
UNION ALL
SELECT source, 'region_family', NULL, hash(region_key, family_key), SUM(keys)
FROM known_key
WHERE is_item
GROUP BY ALL
UNION ALL
SELECT source, 'region', NULL, hash(region_key), SUM(keys)
FROM known_key
WHERE is_item
GROUP BY ALL
UNION ALL
SELECT source, 'family', NULL, hash(family_key), SUM(keys)
FROM known_key
WHERE is_item
GROUP BY ALL
UNION ALL
SELECT source, 'item', NULL, item, SUM(keys)
FROM known_key
WHERE is_item
GROUP BY ALL;
