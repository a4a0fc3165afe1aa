-- The restrictions of every inventory row, as known now.
-- Grain: one inventory key and ordinal.
-- An older version wrote regions in the letter case in which they were sent.
-- Reads: the files named in the variable current_restriction_files.
CREATE VIEW current_restriction AS
SELECT
    r.* REPLACE (CASE WHEN lower(r.type) = 'location' THEN lower(r.value) ELSE r.value END AS value)
FROM read_parquet(getvariable('current_restriction_files'), hive_partitioning = false) AS r
SEMI JOIN latest_cell AS c
    ON c.snapshot_id = r.snapshot_id
    AND c.partner_tenant_id = r.partner_tenant_id
    AND c.customer_id = r.customer_id
    AND c.country = r.country;
