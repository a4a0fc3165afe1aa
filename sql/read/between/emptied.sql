-- Which of two snapshots cover a cell but hold no row of any: their rows were pruned.
-- Grain: one snapshot.
-- Binds: before, after (ids of snapshots).
SELECT DISTINCT c.snapshot_id
FROM coverage AS c
WHERE c.snapshot_id IN ($before, $after) AND c.status <> 'left'
AND c.snapshot_id NOT IN (SELECT snapshot_id FROM inventory)
AND c.snapshot_id NOT IN (SELECT snapshot_id FROM availability)
AND c.snapshot_id NOT IN (SELECT snapshot_id FROM customer)
AND c.snapshot_id NOT IN (SELECT snapshot_id FROM sku)
AND c.snapshot_id NOT IN (SELECT snapshot_id FROM remembered)
ORDER BY c.snapshot_id;
