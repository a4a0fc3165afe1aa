-- The customers and countries where so many verdicts flipped at once that they are checked again:
-- see docs/decisions/0010.
-- Grain: one subject, customer and country.
-- Reads: flipped_inventory, flipped_availability, known_inventory, known_availability.
CREATE OR REPLACE TEMP TABLE doubted AS
WITH flipped AS (
    SELECT 'inventory' AS subject, customer_id, country, count(*) AS flips
    FROM flipped_inventory
    GROUP BY ALL
    UNION ALL
    SELECT 'availability', customer_id, country, count(*)
    FROM flipped_availability
    GROUP BY ALL
),
known AS (
    SELECT 'inventory' AS subject, customer_id, country, count(*) AS keys
    FROM known_inventory
    GROUP BY ALL
    UNION ALL
    SELECT 'availability', customer_id, country, count(*)
    FROM known_availability
    GROUP BY ALL
)
SELECT f.subject, f.customer_id, f.country, f.flips, k.keys
FROM flipped AS f
INNER JOIN known AS k USING (subject, customer_id, country)
WHERE f.flips > 20 AND 5 * f.flips > k.keys;
