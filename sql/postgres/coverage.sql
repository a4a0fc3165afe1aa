-- The cells that each snapshot covers, and how completely.
-- Grain: one snapshot and cell.
CREATE VIEW coverage AS
SELECT
    snapshot_id, partner_tenant_id, customer_id, country, status, scope, checks_answered,
    checks_failed, checks_skipped, checks_not_eligible, listings_failed,
    customers_unlisted, previous_snapshot_id
FROM auditor_tables.coverage;
