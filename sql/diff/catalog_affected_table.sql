-- Holds, while buckets go by, how many customers each catalog event concerns.
-- Grain: one catalog event in one bucket.
CREATE OR REPLACE TEMP TABLE catalog_affected (
    country VARCHAR, reservation_scope VARCHAR, product_id VARCHAR, sku_id VARCHAR,
    customers BIGINT
);
