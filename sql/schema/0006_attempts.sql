-- Every try of a run to audit a partner, even if nothing was published or the run was killed.
-- Grain:  one run and partner.
CREATE TABLE attempt (
    run_id text COLLATE "C" NOT NULL,
    partner_tenant_id text COLLATE "C" NOT NULL,
    partner_name text COLLATE "C",
    kind text COLLATE "C",
    trigger text COLLATE "C",
    customers text COLLATE "C",
    started_at timestamptz,
    ended_at timestamptz,
    exit bigint,
    error_code text COLLATE "C",
    reason text COLLATE "C",
    snapshot_id text COLLATE "C",
    calls bigint,
    PRIMARY KEY (run_id, partner_tenant_id)
);

-- True if a reader may see everything of a partner. The partner may have no snapshot yet, and
-- readable_partners then does not list it.
CREATE FUNCTION reads_partner(reader name, tenant text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = auditor_tables, pg_temp
AS $$
    SELECT
        pg_has_role(reader, 'auditor_writer', 'USAGE')
        OR pg_has_role(reader, 'auditor_owner', 'USAGE')
        OR EXISTS (
            SELECT 1 FROM reader_scope AS r
            WHERE
                r.reader = reads_partner.reader::text
                AND (r.kind = 'everything' OR (r.kind = 'partner' AND r.id = tenant))
        )
$$;

-- An attempt may name customers, so only readers of the whole partner see it.
CREATE POLICY readable ON attempt FOR SELECT TO auditor_reader
USING (reads_partner(current_user, partner_tenant_id));
CREATE POLICY whole ON attempt TO auditor_owner, auditor_writer USING (true);
ALTER TABLE attempt ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
GRANT SELECT ON attempt TO auditor_reader, auditor_writer;
GRANT INSERT, UPDATE ON attempt TO auditor_writer;
