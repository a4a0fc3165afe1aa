-- The changes of the reported snapshots.
-- Grain: one change.
-- Reads: reported.
SELECT c.*
FROM change AS c
INNER JOIN reported AS r ON r.snapshot_id = c.snapshot_id;
