-- Every published snapshot.
-- Grain: one snapshot.
-- A scope may name customers. So a reader who may see only a part of a partner does not see it.
CREATE VIEW snapshot AS
SELECT
    snapshot_id, sequence, run_id, partner_tenant_id, partner_name, started_at, published_at,
    business_date, kind, status, trigger,
    CASE
        WHEN partner_tenant_id
            = ANY ((SELECT auditor_tables.readable_partners(current_user))::text [])
            THEN scope
    END AS scope,
    scope_hash, calls, retries, throttled, checks_answered, checks_failed, checks_skipped,
    checks_not_eligible, listings_failed, customers_unlisted, inventory_rows, availability_rows,
    changes, auditor_version, schema_version
FROM auditor_tables.snapshot;
