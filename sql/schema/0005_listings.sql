-- The numbers of failed listings, and of customers that could not be listed whole.
-- They are null in snapshots of earlier versions, which did not count them.
ALTER TABLE snapshot
    ADD COLUMN listings_failed bigint,
    ADD COLUMN customers_unlisted bigint;

ALTER TABLE coverage
    ADD COLUMN listings_failed bigint,
    ADD COLUMN customers_unlisted bigint;

ALTER TABLE staged_coverage
    ADD COLUMN listings_failed bigint,
    ADD COLUMN customers_unlisted bigint;
