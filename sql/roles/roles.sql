-- Creates the three roles of a store and the schema of its tables. The role that runs this becomes
-- a member of auditor_owner. Roles belong to the whole server, so an upgrade of another database
-- may create them at the same time.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['auditor_owner', 'auditor_writer', 'auditor_reader'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN NULL;
            END;
        END IF;
    END LOOP;
    IF NOT pg_has_role(current_user, 'auditor_owner', 'MEMBER') THEN
        GRANT auditor_owner TO CURRENT_USER;
    END IF;
    IF NOT has_schema_privilege('auditor_owner', current_schema(), 'CREATE') THEN
        EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO auditor_owner', current_schema());
    END IF;
    IF to_regnamespace('auditor_tables') IS NULL THEN
        CREATE SCHEMA auditor_tables;
        ALTER SCHEMA auditor_tables OWNER TO auditor_owner;
    END IF;
END
$$;
