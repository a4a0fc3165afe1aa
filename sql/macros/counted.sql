-- A number with the noun that it counts: `1 SKU`, `12 SKUs`.
-- Returns: a text; NULL if the number is 0.
CREATE OR REPLACE MACRO counted(number, noun) AS (
    CASE WHEN number > 0 THEN number || ' ' || noun || CASE WHEN number = 1 THEN '' ELSE 's' END END
);
