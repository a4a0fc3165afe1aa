-- Every availability key of the covered cells of one bucket: the known row, the new answer, and the
-- fate, which decides between the two.
-- Grain: one availability key. Segment, term and billing cycle have their known spelling.
-- Reads: this, cell, known_availability, answer_availability, settled_availability (one row answers
--        for one segment, '*' for all), settled_check, ended, unheld, gone, still_gone,
--        catalog_absence, suspect_availability, not_asked_later.
-- An answer is left out if its cell has left, or if a run that began later and published before this
-- one knows better: it did not ask about the licence any more, or its answer does not name the term.
-- fate:  answer, suspect, gone, confirmed, dropped, known as in 05_observed_inventory, and
--        absent    the SKU was answered, and the answer did not name this term, or was a 404
CREATE OR REPLACE TEMP TABLE observed_availability AS
WITH covered AS (
    SELECT customer_id, country FROM cell WHERE status <> 'left'
),
known AS (
    SELECT * FROM known_availability SEMI JOIN covered USING (customer_id, country)
),
-- a 404 for a SKU without known terms gives one row with empty terms
placeholder AS (
    SELECT customer_id, country, product_id, sku_id, reservation_scope, max(checked_at) AS checked_at
    FROM settled_availability AS s
    WHERE s.not_found AND NOT EXISTS (
        FROM known AS k
        WHERE k.customer_id = s.customer_id AND k.country = s.country
        AND k.product_id = s.product_id AND k.sku_id = s.sku_id
        AND k.reservation_scope = s.reservation_scope
    ) AND NOT EXISTS (
        FROM answer_availability AS a
        WHERE a.customer_id = s.customer_id AND a.country = s.country
        AND a.product_id = s.product_id AND a.sku_id = s.sku_id
        AND a.reservation_scope = s.reservation_scope
    )
    GROUP BY ALL
),
answer AS (
    SELECT
        customer_id, country, product_id, sku_id, segment, reservation_scope, term_duration,
        billing_cycle, ordinal, verdict, availability_id, catalog_item_id, term_id, market,
        currency, is_renewable, renew_to, lifecycle, min_commitment, checked_at
    FROM answer_availability
    SEMI JOIN covered USING (customer_id, country)
    UNION ALL
    SELECT
        customer_id, country, product_id, sku_id, '', reservation_scope, '',
        '', 0, 'not_in_catalog', '', '', '', '',
        '', NULL, '', '', '', checked_at
    FROM placeholder
    SEMI JOIN covered USING (customer_id, country)
),
-- SKUs that are not in the catalog and were not asked about. A key by customer has no country, so
-- the catalogs of all countries in which the customer is checked count.
lacking AS (
    SELECT
        k.customer_id, k.country, k.product_id, k.sku_id, k.reservation_scope,
        min(t.proven_at) AS proven_at
    FROM known AS k
    INNER JOIN covered AS c
        ON c.customer_id = k.customer_id AND c.country <> '' AND k.country IN ('', c.country)
    INNER JOIN still_gone AS t
        ON t.country = c.country AND t.product_id = k.product_id AND t.sku_id = k.sku_id
        AND (k.country = '' OR t.reservation_scope = k.reservation_scope)
    WHERE k.verdict = 'not_in_catalog' AND NOT EXISTS (
        FROM settled_check AS q
        WHERE q.kind = 'availability' AND q.outcome <> 'not_eligible'
        AND q.customer_id = k.customer_id AND q.country = k.country
        AND q.product_id = k.product_id AND q.sku_id = k.sku_id
    )
    GROUP BY ALL
),
paired AS (
    SELECT
        COALESCE(k.customer_id, a.customer_id) AS customer_id,
        COALESCE(k.country, a.country) AS country,
        COALESCE(k.product_id, a.product_id) AS product_id,
        COALESCE(k.sku_id, a.sku_id) AS sku_id,
        COALESCE(k.segment, a.segment) AS segment,
        COALESCE(k.reservation_scope, a.reservation_scope) AS reservation_scope,
        COALESCE(k.term_duration, a.term_duration) AS term_duration,
        COALESCE(k.billing_cycle, a.billing_cycle) AS billing_cycle,
        COALESCE(k.ordinal, a.ordinal) AS ordinal,
        k AS known,
        a AS answer
    FROM known AS k
    FULL JOIN answer AS a
        ON a.customer_id = k.customer_id
        AND a.country = k.country
        AND a.product_id = k.product_id
        AND a.sku_id = k.sku_id
        AND lower(a.segment) = lower(k.segment)
        AND a.reservation_scope = k.reservation_scope
        AND lower(a.term_duration) = lower(k.term_duration)
        AND lower(a.billing_cycle) = lower(k.billing_cycle)
        AND a.ordinal = k.ordinal
)
SELECT
    p.*,
    s.checked_at AS settled_at,
    g.gone_at,
    l.proven_at,
    CASE
        WHEN p.known.checked_at IS NULL THEN 'answer'
        WHEN d.sku_id IS NOT NULL
            AND COALESCE(p.answer.checked_at, s.checked_at)
            >= greatest(p.known.checked_at, run_began(p.known.pending_snapshot_id))
            AND is_flip(p.known.verdict, COALESCE(p.answer.verdict, 'not_in_catalog'))
            AND p.known.pending_verdict <> COALESCE(p.answer.verdict, 'not_in_catalog')
            THEN 'suspect'
        WHEN (this.ignores_age AND p.answer.checked_at IS NOT NULL)
            OR p.answer.checked_at
            >= greatest(p.known.checked_at, run_began(p.known.pending_snapshot_id))
            THEN 'answer'
        WHEN p.segment || p.term_duration || p.billing_cycle = ''
            AND p.known.verdict = 'not_in_catalog' AND s.not_found IS DISTINCT FROM true
            AND EXISTS (
                FROM settled_availability AS t
                WHERE t.customer_id = p.customer_id AND t.country = p.country
                AND t.product_id = p.product_id AND t.sku_id = p.sku_id
                AND t.reservation_scope = p.reservation_scope
                AND NOT t.not_found AND t.checked_at >= p.known.checked_at
            ) THEN 'dropped'
        WHEN s.checked_at >= greatest(p.known.checked_at, run_began(p.known.pending_snapshot_id))
            AND p.answer.checked_at IS NULL THEN 'absent'
        WHEN p.known.checked_at < this.started_at AND EXISTS (
            FROM ended AS e
            WHERE e.customer_id = p.customer_id
            AND e.country = '*' AND e.azure_subscription_id = '*'
        ) THEN 'dropped'
        WHEN g.gone_at > p.known.checked_at AND (p.known.verdict <> 'not_in_catalog' OR EXISTS (
            FROM catalog_absence AS x
            WHERE x.country = p.country AND x.reservation_scope = p.reservation_scope
            AND x.product_id = p.product_id AND x.sku_id = p.sku_id
            AND is_catalogs_own(
                p.known.verdict_since_at, p.known.checked_at, x.gone_at, x.until_at
            )
        )) THEN 'gone'
        WHEN l.proven_at IS NOT NULL AND p.known.checked_at < this.started_at THEN 'confirmed'
        WHEN p.known.checked_at < this.started_at AND u.sku_id IS NOT NULL
            AND NOT EXISTS (
                FROM settled_check AS q
                WHERE q.kind = 'availability' AND q.outcome <> 'not_eligible'
                AND q.customer_id = p.customer_id AND q.country = p.country
                AND q.product_id = p.product_id AND q.sku_id = p.sku_id
            ) THEN 'dropped'
        ELSE 'known'
    END AS fate
FROM paired AS p
CROSS JOIN this
LEFT JOIN settled_availability AS s
    ON s.customer_id = p.customer_id AND s.country = p.country
    AND s.product_id = p.product_id AND s.sku_id = p.sku_id
    AND s.reservation_scope = p.reservation_scope
    AND s.segment IN ('*', lower(p.segment))
LEFT JOIN lacking AS l
    ON l.customer_id = p.customer_id AND l.country = p.country
    AND l.product_id = p.product_id AND l.sku_id = p.sku_id
    AND l.reservation_scope = p.reservation_scope
LEFT JOIN suspect_availability AS d
    ON d.customer_id = p.customer_id AND d.country = p.country
    AND d.product_id = p.product_id AND d.sku_id = p.sku_id
    AND d.segment = p.segment AND d.reservation_scope = p.reservation_scope
    AND d.term_duration = p.term_duration AND d.billing_cycle = p.billing_cycle
    AND d.ordinal = p.ordinal
LEFT JOIN gone AS g
    ON g.country = p.country AND g.reservation_scope = p.reservation_scope
    AND g.product_id = p.product_id AND g.sku_id = p.sku_id
LEFT JOIN unheld AS u
    ON u.customer_id = p.customer_id AND u.product_id = p.product_id AND u.sku_id = p.sku_id
WHERE p.known.checked_at IS NOT NULL OR NOT EXISTS (
    FROM not_asked_later AS n
    WHERE n.customer_id = p.customer_id AND n.product_id = p.product_id AND n.sku_id = p.sku_id
    AND p.country = '' AND n.began_at > p.answer.checked_at
);
