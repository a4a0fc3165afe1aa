-- The newest snapshot of each cell, and the status it gives the cell.
-- Grain: one cell.
CREATE VIEW latest_cell AS
SELECT partner_tenant_id, customer_id, country, snapshot_id, sequence, status
FROM latest;
