-- Whether the second answer for each availability key equals the first (is_same).
-- Grain: one availability key that was checked again.
-- Reads: recheck_availability (the first answers), answer_availability and settled_availability
--        (the second answers).
-- A check has one outcome: if one of its terms differs, none of its terms is the same.
WITH told AS (
    SELECT
        c.*,
        s.check_id IS NOT NULL
        AND c.verdict = COALESCE(a.verdict, 'not_in_catalog') AS is_term_same
    FROM recheck_availability AS c
    LEFT JOIN settled_availability AS s
        ON s.check_id = c.check_id AND s.segment IN ('*', lower(c.segment))
    LEFT JOIN answer_availability AS a
        ON a.customer_id = c.customer_id AND a.country = c.country
        AND a.product_id = c.product_id AND a.sku_id = c.sku_id
        AND lower(a.segment) = lower(c.segment)
        AND a.reservation_scope = c.reservation_scope
        AND lower(a.term_duration) = lower(c.term_duration)
        AND lower(a.billing_cycle) = lower(c.billing_cycle)
        AND a.ordinal = c.ordinal
)
SELECT
    * EXCLUDE (is_term_same),
    bool_and(is_term_same) OVER (PARTITION BY check_id) AS is_same
FROM told;
