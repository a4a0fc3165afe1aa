-- Creates the table that counts, bucket after bucket, how many customers each catalog event
-- concerns.
-- Grain: one catalog event in one bucket.
-- Reads: affected_before (the counts of the buckets that were compared earlier).
-- Executed once for each comparison, before the first bucket. 08_catalog_affected_add adds rows.
CREATE OR REPLACE TEMP TABLE catalog_affected AS
SELECT country, reservation_scope, product_id, sku_id, customers FROM affected_before;
