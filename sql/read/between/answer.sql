-- The rows of one relation in the later snapshot, as if they were answers.
-- Grain: one key.
-- Binds: snapshot (its id).
-- Reads: held (rows of the relation), in_group (the customers to compare), absence_after (when
--        each SKU was not in the catalog, as catalog_absence).
-- If a key is not in the catalog only because its SKU left, that is no answer: the departure is one
-- change for all customers.
SELECT d.* EXCLUDE (snapshot_id)
FROM held AS d
SEMI JOIN in_group AS g ON g.customer_id = d.customer_id
WHERE d.snapshot_id = $snapshot AND NOT (d.verdict = 'not_in_catalog' AND EXISTS (
    FROM absence_after AS x
    WHERE x.country = d.country AND x.reservation_scope = d.reservation_scope
    AND x.product_id = d.product_id AND x.sku_id = d.sku_id
    AND is_catalogs_own(d.verdict_since_at, d.checked_at, x.gone_at, x.until_at)
));
