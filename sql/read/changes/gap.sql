-- How many published snapshots covered a cell after a given snapshot.
-- Grain: one pair of a cell and an earlier snapshot of that cell, from the table `asked`.
-- Reads: asked, published (snapshot_id, sequence), coverage.
SELECT
    a.partner_tenant_id, a.customer_id, a.country, a.before_snapshot_id,
    COUNT(p.snapshot_id) AS gap_snapshots
FROM (
    SELECT DISTINCT partner_tenant_id, customer_id, country, before_snapshot_id FROM asked
) AS a
LEFT JOIN published AS b ON b.snapshot_id = a.before_snapshot_id
LEFT JOIN coverage AS c
    ON c.partner_tenant_id = a.partner_tenant_id
    AND c.customer_id = a.customer_id
    AND c.country = a.country
LEFT JOIN published AS p ON p.snapshot_id = c.snapshot_id AND p.sequence > COALESCE(b.sequence, 0)
GROUP BY ALL
ORDER BY ALL;
