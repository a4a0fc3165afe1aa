-- The availability checks of the bucket that were answered, and for which segments.
-- Grain: one check and segment; by customer an answer is for all of them ('*').
-- Tables: settled_check, asked_segment (segments the configuration names; with '').
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
