-- The facts about a store that a program must know before it queries the store.
-- Grain: one row.
CREATE VIEW store_info AS
SELECT
    s.buckets,
    (SELECT MAX(step) FROM auditor_tables.schema_step) AS schema_step
FROM auditor_tables.store AS s;
