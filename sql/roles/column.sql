-- The columns that get a comment: those of the views that readers query.
-- Grain: one column of one of our views.
-- Binds: views (the schema of the views).
SELECT c.relname, a.attname
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
WHERE
    c.relkind = 'v'
    AND n.nspname = :views
    AND c.relowner = CAST('auditor_owner' AS regrole)
ORDER BY c.relname, a.attnum;
