-- The availability keys whose new answer takes back a verdict.
-- Grain: one availability key, in the known spelling.
-- Reads: known_availability, answer_availability, settled_availability.
-- If the answer for a SKU no longer names a term, that term counts as not in the catalog. An answer
-- that equals the pending answer is not counted, because it confirms that answer.
CREATE OR REPLACE TEMP TABLE flipped_availability AS
SELECT
    k.partner_tenant_id, k.customer_id, k.country, k.product_id, k.sku_id, k.segment, k.reservation_scope,
    k.term_duration, k.billing_cycle, k.ordinal, s.check_id,
    COALESCE(a.verdict, 'not_in_catalog') AS verdict
FROM known_availability AS k
INNER JOIN settled_availability AS s
    ON s.customer_id = k.customer_id AND s.country = k.country
    AND s.product_id = k.product_id AND s.sku_id = k.sku_id
    AND s.reservation_scope = k.reservation_scope
    AND s.segment IN ('*', lower(k.segment))
LEFT JOIN answer_availability AS a
    ON a.customer_id = k.customer_id AND a.country = k.country
    AND a.product_id = k.product_id AND a.sku_id = k.sku_id
    AND lower(a.segment) = lower(k.segment)
    AND a.reservation_scope = k.reservation_scope
    AND lower(a.term_duration) = lower(k.term_duration)
    AND lower(a.billing_cycle) = lower(k.billing_cycle)
    AND a.ordinal = k.ordinal
WHERE is_flip(k.verdict, COALESCE(a.verdict, 'not_in_catalog'))
    AND COALESCE(a.checked_at, s.checked_at)
    >= greatest(k.checked_at, run_began(k.pending_snapshot_id))
    AND k.pending_verdict <> COALESCE(a.verdict, 'not_in_catalog');
