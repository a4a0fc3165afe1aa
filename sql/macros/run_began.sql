-- The time when the run of a snapshot began, to the second: a snapshot's id begins with it.
-- Returns: a timestamp, NULL for no snapshot (NULL or ''). Called for one key.
CREATE OR REPLACE MACRO run_began(snapshot_id) AS
    try_strptime(substr(CAST(snapshot_id AS VARCHAR), 1, 16), '%Y%m%dT%H%M%SZ');
