-- Every try of a run to audit a partner, even if nothing was published.
-- Grain: one run and partner.
CREATE VIEW attempt AS
SELECT
    run_id, partner_tenant_id, partner_name, kind, trigger, customers, started_at, ended_at, exit,
    error_code, reason, snapshot_id, calls
FROM auditor_tables.attempt;
