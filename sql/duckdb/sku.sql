-- The catalog of each country and reservation scope, for every snapshot that is not pruned.
-- Grain:  one snapshot, partner, country, reservation scope and SKU.      Reads:  the files that the variable sku_files names.
CREATE VIEW sku AS
SELECT *
FROM read_parquet(getvariable('sku_files'), hive_partitioning = false);
