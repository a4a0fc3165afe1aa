-- The newest snapshot of each cell, and the status it gives the cell.
-- Grain: one cell.
-- Reads: latest_map (the latest map, with the snapshots that were published after it was written).
CREATE VIEW latest_cell AS
SELECT partner_tenant_id, customer_id, country, snapshot_id, sequence, status
FROM latest_map;
