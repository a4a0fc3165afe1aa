-- Holds, while buckets go by, how many customers each catalog event concerns.
-- Grain: one catalog event in one bucket.  Tables: affected_before, of buckets that went by before.
CREATE OR REPLACE TEMP TABLE catalog_affected AS
SELECT country, reservation_scope, product_id, sku_id, customers FROM affected_before;
