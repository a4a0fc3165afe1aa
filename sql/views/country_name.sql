-- The names of countries: `sql/countries.toml`.
-- Grain: one country.
CREATE VIEW country_name AS
SELECT country, country_name
FROM (VALUES ('{countries}')) AS known (country, country_name);
