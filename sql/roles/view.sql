-- Lets readers query the views. A view shows only the rows that the reader may see in the tables,
-- not the rows that the owner of the view may see.
DO $$
DECLARE
    view regclass;
BEGIN
    FOR view IN
        SELECT c.oid
        FROM pg_class AS c
        WHERE c.relkind = 'v' AND c.relowner = to_regrole('auditor_owner')
    LOOP
        EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', view);
        EXECUTE format('GRANT SELECT ON %s TO auditor_writer, auditor_reader', view);
    END LOOP;
END
$$;
