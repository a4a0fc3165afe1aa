-- When the run of a snapshot began, which its id tells to the second; NULL of no snapshot.
-- Grain: one key.
CREATE OR REPLACE MACRO run_began(snapshot_id) AS
    try_strptime(substr(CAST(snapshot_id AS VARCHAR), 1, 16), '%Y%m%dT%H%M%SZ');
