-- The changes, each with the place that explains it.
-- Grain: one change.
-- Reads: changed_key, known_key, known_place.
-- place_of, place: what the changes of a place share. place_of is
--   customer, holder      most keys of a customer, or of one holder, changed
--   region, family        most keys of a region, or family, changed for each of these holders
--   region_family         most keys of a family in a region changed for each of these holders
--   item                  a size in a region, or a SKU, changed more often than chance explains
--   unit                  terms of one licence, or one SKU of the catalog in several countries
--   single                nothing: the change stands alone
-- The rule: a place is dense for a holder if at least half of the holder's keys there changed. One
-- cause covers all holders for whom the place is dense. A change may lie in several dense places. The
-- place with the most changes explains it; of two with equally many, the narrower place does.
-- A place must be beyond chance (the macro is_beyond_chance).
WITH total AS (
    SELECT source, SUM(keys) AS keys FROM known_key WHERE is_item GROUP BY ALL
),
block AS (
    SELECT
        question, source, is_known, customer, customer_id <> '' AS has_customer, holder,
        region_key, family_key, COUNT(*) AS changed
    FROM changed_key
    GROUP BY ALL
),
-- Changed keys, of so many known keys with the same verdict, in each place that holds the block.
counted AS (
    SELECT
        b.question, b.source, b.customer, b.holder, b.region_key, b.family_key,
        b.changed, p.place_of, p.breadth, p.place,
        SUM(b.changed) OVER (PARTITION BY b.question, b.source, p.place_of, p.owner, p.place) AS changed_there,
        p.owner, b.is_known
    FROM block AS b
    CROSS JOIN LATERAL (
        VALUES
        ('region_family', 1, b.holder, hash(b.region_key, b.family_key)),
        ('region', 2, b.holder, hash(b.region_key)),
        ('family', 3, b.holder, hash(b.family_key)),
        ('holder', 4, b.holder, b.holder),
        ('customer', 5, b.customer, b.customer)
    ) AS p (place_of, breadth, owner, place)
    WHERE
        (b.has_customer OR p.place_of <> 'customer')
        AND (b.region_key <> hash('') OR p.place_of <> 'region')
),
measured AS (
    SELECT
        c.*,
        GREATEST(
            COALESCE(k.keys, 0) + CASE WHEN c.is_known THEN 0 ELSE c.changed_there END,
            c.changed_there
        ) AS keys_there
    FROM counted AS c
    LEFT JOIN known_place AS k
        ON k.source = c.source AND k.place_of = c.place_of AND k.owner = c.owner
        AND k.place = c.place
),
-- The share of keys that change independently: those that share nothing dense with two others. One
-- key in a thousand is taken for it while few keys are known.
alone AS (
    SELECT
        question, source, ANY_VALUE(changed) AS changed,
        BOOL_OR(changed_there >= 3 AND changed_there * 2 >= keys_there) AS is_explained
    FROM measured
    GROUP BY question, source, holder, region_key, family_key
),
background AS (
    SELECT
        a.question,
        (COALESCE(SUM(a.changed) FILTER (NOT a.is_explained), 0) + 1)
        / (MAX(COALESCE(t.keys, 0)) + SUM(a.changed) + 1000) AS rate
    FROM alone AS a
    LEFT JOIN total AS t ON t.source = a.source
    GROUP BY a.question
),
-- A holder's keys of a place are counted once: spread over the blocks by what changed in each.
dense AS (
    SELECT
        m.question, m.place_of, m.place, m.breadth, SUM(m.changed) AS changed,
        SUM(m.keys_there * m.changed / m.changed_there) AS keys
    FROM measured AS m
    WHERE m.changed_there * 2 >= m.keys_there
    GROUP BY ALL
),
ranked AS (
    SELECT
        m.question, m.source, m.holder, m.region_key, m.family_key, m.place_of, m.place, m.changed,
        ROW_NUMBER() OVER (
            PARTITION BY m.question, m.source, m.holder, m.region_key, m.family_key
            ORDER BY d.changed DESC, d.breadth, d.place
        ) AS rank
    FROM measured AS m
    INNER JOIN dense AS d
        ON d.question = m.question AND d.place_of = m.place_of AND d.place = m.place
    INNER JOIN background AS b ON b.question = m.question
    WHERE
        m.changed_there * 2 >= m.keys_there
        AND is_beyond_chance(d.changed, d.keys, b.rate)
),
chosen AS (
    SELECT
        question, source, holder, region_key, family_key, place_of, place,
        SUM(changed) OVER (PARTITION BY question, place_of, place) AS changed
    FROM ranked
    WHERE rank = 1
),
-- What no such place explains: by item, by unit, or alone.
settled AS (
    SELECT
        c.event_id, c.question, c.source, c.is_known, c.item, c.unit, o.place_of, o.place,
        o.place IS NULL
        OR COUNT(DISTINCT c.item) OVER (PARTITION BY c.question, o.place_of, o.place) = 1
            AS is_narrow
    FROM changed_key AS c
    LEFT JOIN chosen AS o
        ON o.changed >= 2 AND o.question = c.question AND o.source = c.source
        AND o.holder = c.holder AND o.region_key = c.region_key AND o.family_key = c.family_key
),
-- If a place has only one item, the item explains its changes, and those of the item elsewhere too.
counts AS (
    SELECT
        *,
        COUNT(*) FILTER (is_narrow) OVER (PARTITION BY question, item) AS of_item,
        COUNT(*) FILTER (place IS NULL) OVER (PARTITION BY question, unit) AS of_unit
    FROM settled
),
judged AS (
    SELECT
        c.event_id, c.place_of, c.place, c.item, c.unit, c.is_narrow, c.of_unit,
        BOOL_OR(
            is_beyond_chance(
                c.of_item,
                GREATEST(
                    COALESCE(i.keys, 0) + CASE WHEN c.is_known THEN 0 ELSE c.of_item END,
                    c.of_item
                ),
                b.rate
            )
        ) OVER (PARTITION BY c.question, c.item, c.is_narrow) AS is_item
    FROM counts AS c
    INNER JOIN background AS b ON b.question = c.question
    LEFT JOIN known_place AS i
        ON i.source = c.source AND i.place_of = 'item' AND i.owner IS NULL AND i.place = c.item
),
decided AS (
    SELECT
        event_id, place, item, unit,
        CASE
            WHEN NOT is_narrow THEN place_of
            WHEN is_item THEN 'item'
            WHEN place IS NOT NULL THEN place_of
            WHEN unit IS NOT NULL AND of_unit >= 2 THEN 'unit'
            ELSE 'single'
        END AS place_of
    FROM judged
)
SELECT
    c.*, d.place_of,
    CASE d.place_of
        WHEN 'item' THEN d.item
        WHEN 'unit' THEN d.unit
        WHEN 'single' THEN 0
        ELSE d.place
    END AS place
FROM changed_key AS c
INNER JOIN decided AS d ON d.event_id = c.event_id;
