-- The rights of each role, and the rows that each reader sees: see docs/decisions/0016.
-- auditor_owner creates and owns everything. auditor_writer publishes, verifies and prunes, and creates
-- no table. auditor_reader may query the views but sees no rows by itself: a role that is a member of
-- it sees the rows that reader_scope gives to that role.

-- The scope of each reader. The kind `everything` has no id. The other kinds have the id of a
-- partner, a reseller or a customer. The group auditor_reader has no scope, because each member
-- could use it by SET ROLE.
-- Grain:  one reader and one scope.
CREATE TABLE reader_scope (
    reader text COLLATE "C" NOT NULL CHECK (reader <> 'auditor_reader'),
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('everything', 'partner', 'reseller', 'customer')),
    id text COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (reader, kind, id),
    CHECK ((kind = 'everything') = (id = ''))
);

-- Only policies call these functions: a reader cannot name anything in this schema. They run as the
-- owner, so they see reader_scope and every customer. The reader is passed as an argument, because
-- current_user is the owner inside them.
CREATE FUNCTION readable_partners(reader name) RETURNS text []
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = auditor_tables, pg_temp
AS $$
    SELECT COALESCE(array_agg(DISTINCT s.partner_tenant_id), '{}')
    FROM snapshot AS s
    WHERE
        pg_has_role(reader, 'auditor_writer', 'USAGE')
        OR pg_has_role(reader, 'auditor_owner', 'USAGE')
        OR EXISTS (
            SELECT 1 FROM reader_scope AS r
            WHERE
                r.reader = readable_partners.reader::text
                AND (r.kind = 'everything' OR (r.kind = 'partner' AND r.id = s.partner_tenant_id))
        )
$$;

-- The customers that a reader may see, and '' for the catalogs of their partners.
CREATE FUNCTION readable_customers(reader name)
RETURNS TABLE (partner_tenant_id text, customer_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = auditor_tables, pg_temp
AS $$
    WITH mine AS (
        SELECT l.partner_tenant_id, l.customer_id
        FROM reader_scope AS r
        INNER JOIN latest AS l ON l.customer_id = r.id
        WHERE r.reader = readable_customers.reader::text AND r.kind = 'customer'
        UNION
        SELECT c.partner_tenant_id, c.customer_id
        FROM reader_scope AS r
        INNER JOIN customer_interval AS c ON c.reseller_id = r.id AND c.valid_to IS NULL
        WHERE r.reader = readable_customers.reader::text AND r.kind = 'reseller'
    )
    SELECT m.partner_tenant_id, m.customer_id FROM mine AS m
    UNION
    SELECT m.partner_tenant_id, '' FROM mine AS m
$$;
CREATE INDEX latest_customer ON latest (customer_id);
CREATE INDEX customer_interval_reseller ON customer_interval (reseller_id) WHERE valid_to IS NULL;

-- Policy for rows of a customer that the reader may see, or of the catalog of that partner.
DO $$
DECLARE
    name text;
    customer text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'coverage', 'latest', 'check_outcome', 'change', 'inventory_interval', 'inventory_checked',
        'inventory_checked_apart', 'restriction_interval', 'availability_interval',
        'availability_checked', 'availability_checked_apart', 'sku_interval', 'customer_interval',
        'azure_subscription_interval', 'commerce_subscription_interval', 'remembered_interval'
    ] LOOP
        customer := CASE name WHEN 'sku_interval' THEN quote_literal('') ELSE 'customer_id' END;
        EXECUTE format(
            'CREATE POLICY readable ON %I FOR SELECT TO auditor_reader USING ('
            'partner_tenant_id = ANY ((SELECT readable_partners(current_user))::text [])'
            ' OR (partner_tenant_id, %s) IN (SELECT r.partner_tenant_id, r.customer_id'
            ' FROM readable_customers(current_user) AS r))',
            name, customer
        );
    END LOOP;
END
$$;

-- Policy for a snapshot that covers a customer that the reader may see.
CREATE POLICY readable ON snapshot FOR SELECT TO auditor_reader USING (
    partner_tenant_id = ANY ((SELECT readable_partners(current_user))::text [])
    OR EXISTS (
        SELECT 1 FROM coverage AS c
        WHERE c.snapshot_id = snapshot.snapshot_id AND c.customer_id <> ''
    )
);
CREATE POLICY readable ON publication FOR SELECT TO auditor_reader USING (
    EXISTS (SELECT 1 FROM snapshot AS s WHERE s.snapshot_id = publication.snapshot_id)
);

DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT p.tablename FROM pg_policies AS p WHERE p.schemaname = 'auditor_tables' LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY whole ON %I TO auditor_owner, auditor_writer USING (true)', name);
        EXECUTE format('GRANT SELECT ON %I TO auditor_reader', name);
    END LOOP;
    GRANT SELECT ON store, schema_step TO auditor_reader;

    GRANT USAGE ON SCHEMA auditor_tables TO auditor_writer;
    FOR name IN
        SELECT t.tablename FROM pg_tables AS t
        WHERE t.schemaname = 'auditor_tables' AND t.tablename <> 'reader_scope'
    LOOP
        EXECUTE format('GRANT SELECT ON %I TO auditor_writer', name);
        CONTINUE WHEN name IN ('store', 'schema_step');
        EXECUTE format('GRANT INSERT ON %I TO auditor_writer', name);
        IF name LIKE 'staged_%' OR name LIKE '%_checked' OR name LIKE '%_checked_apart'
            OR name LIKE '%_interval' OR name = 'check_outcome'
        THEN
            EXECUTE format('GRANT DELETE ON %I TO auditor_writer', name);
        END IF;
        IF name LIKE '%_interval' AND name NOT LIKE 'staged_%' THEN
            EXECUTE format('GRANT UPDATE (valid_to) ON %I TO auditor_writer', name);
        END IF;
    END LOOP;
    GRANT UPDATE (epoch) ON store TO auditor_writer;
    GRANT UPDATE (pruned_at) ON publication TO auditor_writer;
    GRANT UPDATE (snapshot_id, sequence, status) ON latest TO auditor_writer;
END
$$;
