-- The cells with a change whose last answer is older than the cell's previous snapshot. The
-- snapshots after that answer must be counted (gap).
-- Grain: one cell and snapshot of the last answer.
-- Reads: this, cell, changed.
SELECT DISTINCT
    this.partner_tenant_id,
    c.customer_id,
    c.country,
    c.before_snapshot_id
FROM changed AS c
CROSS JOIN this
INNER JOIN cell AS l ON l.customer_id = c.customer_id AND l.country = c.country
WHERE c.before_snapshot_id <> '' AND c.before_snapshot_id <> l.previous_snapshot_id;
