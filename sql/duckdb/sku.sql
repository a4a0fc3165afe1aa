-- The catalog of each country and reservation scope, for every snapshot that is not pruned.
-- Grain: one snapshot and partner, country, reservation scope and SKU.
-- Reads: the files named in the variable sku_files.
CREATE VIEW sku AS
SELECT *
FROM read_parquet(getvariable('sku_files'), hive_partitioning = false);
