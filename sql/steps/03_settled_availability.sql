-- The availability checks of the bucket that were answered, with the segments each one answers for.
-- Grain: one check and segment. A check by customer answers for all segments ('*').
-- Reads: settled_check, asked_segment (the configured segments, and '').
-- The guard executes this step too.
CREATE OR REPLACE TEMP TABLE settled_availability AS
SELECT
    s.check_id, s.customer_id, s.country, s.product_id, s.sku_id, s.reservation_scope, s.checked_at,
    s.not_found, '*' AS segment
FROM settled_check AS s
WHERE s.kind = 'availability' AND s.outcome = 'answered' AND s.customer_id <> ''
UNION ALL
SELECT
    s.check_id, s.customer_id, s.country, s.product_id, s.sku_id, s.reservation_scope, s.checked_at,
    s.not_found, a.segment
FROM settled_check AS s
INNER JOIN asked_segment AS a ON (s.segment = 'nonprofit') = (a.segment = 'nonprofit')
WHERE s.kind = 'availability' AND s.outcome = 'answered' AND s.customer_id = '';
