-- The changes of each partner's newest snapshot.
-- Grain: one change.
SELECT c.*
FROM change AS c
SEMI JOIN partner_now AS p ON p.newest_snapshot_id = c.snapshot_id;
