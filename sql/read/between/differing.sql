-- The rows of one relation in a snapshot that are not the same in another one. A row that is the
-- same can make no change; when it was checked, and an answer that is pending, do not count. Rows
-- that are not in the catalog are all returned: a catalog change counts them.
-- Grain: one key.
-- Binds: snapshot (its id), other (the id of the other one).
-- Reads: held (the relation), cell (the cells that both snapshots cover).
SELECT h.*
FROM held AS h
SEMI JOIN cell AS c ON c.customer_id = h.customer_id AND c.country = h.country
NATURAL ANTI JOIN (
    SELECT COLUMNS(lambda c: NOT regexp_matches(c, '^(snapshot_id|checked|pending|verdict_since)'))
    FROM held
    WHERE snapshot_id = $other AND verdict <> 'not_in_catalog'
) AS o
WHERE h.snapshot_id = $snapshot;
