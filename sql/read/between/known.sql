-- The rows of one relation in the earlier snapshot, as the known rows.
-- Grain: one key.
-- Binds: snapshot (its id).
-- Reads: held (rows of the relation), in_group (the customers to compare).
SELECT h.* EXCLUDE (snapshot_id)
FROM held AS h
SEMI JOIN in_group AS g ON g.customer_id = h.customer_id
WHERE h.snapshot_id = $snapshot;
