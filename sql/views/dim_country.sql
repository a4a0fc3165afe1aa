-- The countries of price lists, customers and current rows.
-- Grain: one country, '' for rows without a country.
CREATE VIEW dim_country AS
WITH billed AS (
    SELECT COALESCE(country, '') AS country, COUNT(*) AS customers
    FROM current_customer
    GROUP BY COALESCE(country, '')
),
named AS (
    SELECT country FROM billed
    UNION
    SELECT country FROM latest_cell
    UNION
    SELECT country FROM current_sku
    UNION
    SELECT country FROM current_check_outcome
    UNION
    SELECT country FROM change
    UNION
    SELECT ''
)
SELECT
    n.country,
    COALESCE(c.country_name, '') AS country_name,
    COALESCE(b.customers, 0) AS customers
FROM named AS n
LEFT JOIN country_name AS c ON c.country = n.country
LEFT JOIN billed AS b ON b.country = n.country;
