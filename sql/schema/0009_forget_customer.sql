-- Lets the writer erase one customer from every table, and nothing less than that: it still may not
-- alter or delete single rows of the history. `snapshots forget` calls the function.

-- The rows of every table that has a customer are deleted, so a later table needs no change here.
-- What remains of a snapshot is given: its counts and scope, and how each digest changes, because
-- SQL cannot compute a digest.
-- numbers: [{snapshot_id, scope, checks_answered, …}]
-- digests: [{snapshot_id, relation, row_count, digest}]
-- scopes:  [{before, after}], of coverage.scope in the rows of other customers
CREATE FUNCTION forget_customer(customer text, numbers jsonb, digests jsonb, scopes jsonb)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = auditor_tables, pg_temp
AS $$
DECLARE
    name text;
BEGIN
    IF COALESCE(customer, '') = '' THEN
        RAISE EXCEPTION 'the customer '''' is the catalog, which is not erased';
    END IF;
    FOR name IN
        SELECT c.relname
        FROM pg_class AS c
        INNER JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'customer_id'
        WHERE c.relnamespace = 'auditor_tables'::regnamespace AND c.relkind = 'r'
    LOOP
        EXECUTE format('DELETE FROM %I WHERE customer_id = $1', name) USING customer;
    END LOOP;
    DELETE FROM reader_scope AS r WHERE r.kind = 'customer' AND r.id = customer;
    UPDATE snapshot AS s SET
        scope = n.scope,
        checks_answered = n.checks_answered,
        checks_failed = n.checks_failed,
        checks_skipped = n.checks_skipped,
        checks_not_eligible = n.checks_not_eligible,
        listings_failed = n.listings_failed,
        customers_unlisted = n.customers_unlisted,
        inventory_rows = n.inventory_rows,
        availability_rows = n.availability_rows,
        changes = n.changes
    FROM jsonb_to_recordset(numbers) AS n (
        snapshot_id text, scope text, checks_answered bigint, checks_failed bigint,
        checks_skipped bigint, checks_not_eligible bigint, listings_failed bigint,
        customers_unlisted bigint, inventory_rows bigint, availability_rows bigint, changes bigint
    )
    WHERE s.snapshot_id = n.snapshot_id;
    UPDATE publication_digest AS p SET row_count = d.row_count, digest = d.digest
    FROM jsonb_to_recordset(digests) AS d (
        snapshot_id text, relation text, row_count bigint, digest numeric
    )
    WHERE p.snapshot_id = d.snapshot_id AND p.relation = d.relation;
    UPDATE coverage AS c SET scope = t.after
    FROM jsonb_to_recordset(scopes) AS t (before text, after text)
    WHERE c.scope = t.before;
END
$$;
REVOKE ALL ON FUNCTION forget_customer(text, jsonb, jsonb, jsonb) FROM public;
GRANT EXECUTE ON FUNCTION forget_customer(text, jsonb, jsonb, jsonb) TO auditor_writer;
