-- Every inventory key of the covered cells of one bucket: the known row, the new answer, and the
-- fate, which decides between the two.
-- Grain: one inventory key.
-- Reads: this, cell, known_inventory, answer_inventory, ended, settled_sku, asked_sku, gone,
--        still_gone, catalog_absence, cached_sku, suspect_inventory (keys that got the same answer
--        twice), not_asked_later.
-- An answer is left out if its cell has left, or if a run that began later and published before this
-- one dropped its key: that run did not ask about the Azure subscription any more.
-- fate:  answer    the answer is used. It is not older than the known row: of two snapshots, the
--                  one that asked later wins. With ignores_age it may be older: the answers are
--                  then another snapshot, with which the known rows are compared on request
--        suspect   the answer takes back a verdict, and so do many others at once. The known
--                  verdict stays and the answer becomes pending. If a later snapshot gets the same
--                  answer, it is used
--        gone      the catalog reports that the SKU does not exist, perhaps not for the first time
--        confirmed the key was not in the catalog, and the catalog's listing still lacks its SKU
--        dropped   the run proved that the key needs no check now, and no other run got an answer
--                  after this run began
--        known     the key was not answered, so it is carried forward. Also if an answer leaves out
--                  the SKU and its listing was not asked: it may have left for every customer
CREATE OR REPLACE TEMP TABLE observed_inventory AS
WITH covered AS (
    SELECT customer_id, country FROM cell WHERE status <> 'left'
),
known AS (
    SELECT * FROM known_inventory SEMI JOIN covered USING (customer_id, country)
),
answer AS (
    SELECT * FROM answer_inventory SEMI JOIN covered USING (customer_id, country)
),
paired AS (
    SELECT
        COALESCE(a.customer_id, k.customer_id) AS customer_id,
        COALESCE(a.country, k.country) AS country,
        COALESCE(a.azure_subscription_id, k.azure_subscription_id) AS azure_subscription_id,
        COALESCE(a.arm_region, k.arm_region) AS arm_region,
        COALESCE(a.reservation_scope, k.reservation_scope) AS reservation_scope,
        COALESCE(a.product_id, k.product_id) AS product_id,
        COALESCE(a.sku_id, k.sku_id) AS sku_id,
        k.verdict AS known_verdict,
        k.reason_codes AS known_reason_codes,
        k.restriction_values AS known_restriction_values,
        k.region AS known_region,
        k.checked_at AS known_at,
        k.checked_snapshot_id AS known_snapshot_id,
        k.verdict_since_at AS known_since_at,
        k.verdict_since_snapshot_id AS known_since_snapshot_id,
        k.pending_verdict AS known_pending_verdict,
        k.pending_reason_codes AS known_pending_reason_codes,
        k.pending_restriction_values AS known_pending_restriction_values,
        k.pending_snapshot_id AS known_pending_snapshot_id,
        a.verdict AS answer_verdict,
        a.reason_codes AS answer_reason_codes,
        a.restriction_values AS answer_restriction_values,
        a.region AS answer_region,
        a.checked_at AS answer_at
    FROM known AS k
    FULL JOIN answer AS a
        ON a.customer_id = k.customer_id
        AND a.country = k.country
        AND a.azure_subscription_id = k.azure_subscription_id
        AND a.arm_region = k.arm_region
        AND a.reservation_scope = k.reservation_scope
        AND a.product_id = k.product_id
        AND a.sku_id = k.sku_id
)
SELECT
    p.*,
    g.gone_at,
    t.proven_at,
    CASE
        WHEN p.answer_verdict = 'not_in_catalog' AND p.known_verdict <> 'not_in_catalog'
            AND v.sku_id IS NOT NULL THEN 'known'
        WHEN p.known_at IS NULL
            OR (this.ignores_age AND p.answer_at IS NOT NULL)
            OR p.answer_at >= greatest(p.known_at, run_began(p.known_pending_snapshot_id))
            THEN CASE
                WHEN d.sku_id IS NOT NULL AND is_flip(p.known_verdict, p.answer_verdict)
                    AND NOT same_answer(
                        p.known_pending_verdict, p.answer_verdict,
                        p.known_pending_reason_codes, p.answer_reason_codes,
                        p.known_pending_restriction_values, p.answer_restriction_values
                    ) THEN 'suspect'
                ELSE 'answer'
            END
        WHEN p.known_at < this.started_at AND EXISTS (
            FROM ended AS e
            WHERE e.customer_id = p.customer_id
            AND e.country IN ('*', p.country)
            AND e.azure_subscription_id IN ('*', p.azure_subscription_id)
        ) THEN 'dropped'
        WHEN g.gone_at > p.known_at AND (p.known_verdict <> 'not_in_catalog' OR EXISTS (
            FROM catalog_absence AS x
            WHERE x.country = p.country AND x.reservation_scope = p.reservation_scope
            AND x.product_id = p.product_id AND x.sku_id = p.sku_id
            AND is_catalogs_own(p.known_since_at, p.known_at, x.gone_at, x.until_at)
        )) THEN 'gone'
        WHEN t.proven_at IS NOT NULL AND p.known_verdict = 'not_in_catalog'
            AND p.known_at < this.started_at THEN 'confirmed'
        WHEN p.known_at < this.started_at AND s.sku_id IS NOT NULL AND q.sku_id IS NULL
            THEN 'dropped'
        ELSE 'known'
    END AS fate
FROM paired AS p
CROSS JOIN this
LEFT JOIN gone AS g
    ON g.country = p.country AND g.reservation_scope = p.reservation_scope
    AND g.product_id = p.product_id AND g.sku_id = p.sku_id
LEFT JOIN still_gone AS t
    ON t.country = p.country AND t.reservation_scope = p.reservation_scope
    AND t.product_id = p.product_id AND t.sku_id = p.sku_id
LEFT JOIN suspect_inventory AS d
    ON d.customer_id = p.customer_id AND d.country = p.country
    AND d.azure_subscription_id = p.azure_subscription_id AND d.arm_region = p.arm_region
    AND d.reservation_scope = p.reservation_scope
    AND d.product_id = p.product_id AND d.sku_id = p.sku_id
LEFT JOIN cached_sku AS v
    ON v.country = p.country AND v.reservation_scope = p.reservation_scope
    AND v.product_id = p.product_id AND v.sku_id = p.sku_id
LEFT JOIN settled_sku AS s
    ON s.country = p.country AND s.reservation_scope = p.reservation_scope
    AND s.product_id = p.product_id AND s.sku_id = p.sku_id
LEFT JOIN asked_sku AS q
    ON q.country = p.country AND q.reservation_scope = p.reservation_scope
    AND q.product_id = p.product_id AND q.sku_id = p.sku_id
    AND q.arm_region = p.arm_region
    AND q.by_customer = (p.customer_id <> '')
    AND q.by_subscription = (p.azure_subscription_id <> '')
WHERE p.known_at IS NOT NULL OR NOT EXISTS (
    FROM not_asked_later AS n
    WHERE n.customer_id = p.customer_id AND n.product_id = ''
    AND n.azure_subscription_id = p.azure_subscription_id AND n.began_at > p.answer_at
);
