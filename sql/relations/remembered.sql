-- The relation remembered: facts about things that have no row in another relation.
-- Grain: one key and kind of fact (what).
-- Reads: this, cell, known_remembered, remember (new rows), forget (rows that no longer hold),
--        settled_inventory, settled_check, ended, new_subscription, new_sku, awaited.
-- what:  awaited                a new key without an answer yet: its first answer will make a
--                               change
--        listed, country_read   written only together with the listed rows that they describe
--                               (is_listed)
WITH covered AS (
    SELECT customer_id, country, is_listed FROM cell WHERE status <> 'left'
),
-- Customers with a check that Partner Center refused: items of their listing may no longer exist.
doubtful AS (
    SELECT DISTINCT customer_id FROM settled_check
    WHERE kind <> 'listing' AND outcome = 'failed' AND http_status IN (400, 403, 404)
),
failed AS (
    SELECT s.*
    FROM settled_inventory AS s
    INNER JOIN cell AS c ON c.customer_id = s.customer_id AND c.country = s.country
    WHERE s.outcome IN ('failed', 'skipped') AND NOT c.is_baseline
),
newly_awaited AS (
    SELECT
        f.customer_id, f.country, f.azure_subscription_id, f.arm_region, f.reservation_scope,
        f.product_id, f.sku_id
    FROM failed AS f
    SEMI JOIN new_subscription USING (customer_id, azure_subscription_id)
    UNION
    SELECT
        f.customer_id, f.country, f.azure_subscription_id, f.arm_region, f.reservation_scope,
        n.product_id, n.sku_id
    FROM failed AS f
    INNER JOIN new_sku AS n
        ON n.country = f.country AND n.reservation_scope = f.reservation_scope
        AND n.product_id = f.product_id AND f.sku_id IN ('', n.sku_id)
),
still_awaited AS (
    SELECT w.*
    FROM awaited AS w
    SEMI JOIN covered AS c ON c.customer_id = w.customer_id AND c.country = w.country
    WHERE NOT EXISTS (
        FROM settled_inventory AS s
        WHERE s.outcome IN ('answered', 'not_eligible')
        AND s.customer_id = w.customer_id AND s.country = w.country
        AND s.azure_subscription_id = w.azure_subscription_id
        AND s.arm_region = w.arm_region AND s.reservation_scope = w.reservation_scope
        AND (s.product_id IN ('', w.product_id) OR w.product_id = '')
        AND (s.sku_id IN ('', w.sku_id) OR w.sku_id = '')
    ) AND NOT EXISTS (
        FROM ended AS e
        WHERE e.customer_id = w.customer_id AND e.country IN ('*', w.country)
        AND e.azure_subscription_id IN ('*', w.azure_subscription_id)
    )
),
-- If a product or customer was awaited as a whole and is answered in part: the keys not answered.
narrowed AS (
    SELECT
        f.customer_id, f.country, f.azure_subscription_id, f.arm_region, f.reservation_scope,
        f.product_id, f.sku_id, w.since_at
    FROM failed AS f
    INNER JOIN awaited AS w
        ON w.customer_id = f.customer_id AND w.country = f.country
        AND w.azure_subscription_id = f.azure_subscription_id
        AND w.arm_region IN ('', f.arm_region) AND w.reservation_scope = f.reservation_scope
        AND w.product_id IN ('', f.product_id) AND w.sku_id IN ('', f.sku_id)
),
kept AS (
    SELECT k.*
    FROM known_remembered AS k
    SEMI JOIN covered AS c ON c.customer_id = k.customer_id AND c.country = k.country
    ANTI JOIN forget AS f
        ON f.customer_id = k.customer_id AND f.country = k.country
        AND f.azure_subscription_id = k.azure_subscription_id
        AND f.reservation_scope = k.reservation_scope
        AND f.product_id = k.product_id AND f.sku_id = k.sku_id AND f.what = k.what
    WHERE k.what <> 'awaited' AND NOT (
        k.what = 'listed' AND k.customer_id <> '' AND k.customer_id IN (FROM doubtful)
    )
),
all_of_them AS (
    SELECT
        r.customer_id, r.country, r.azure_subscription_id, r.arm_region, r.reservation_scope,
        r.product_id, r.sku_id, r.what, r.detail, r.since_at, 1 AS rank
    FROM remember AS r
    INNER JOIN covered AS c ON c.customer_id = r.customer_id AND c.country = r.country
    WHERE c.is_listed OR r.what NOT IN ('listed', 'country_read')
    UNION ALL
    SELECT
        customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id,
        sku_id, what, detail, since_at, 2
    FROM kept
    UNION ALL
    SELECT
        customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id,
        sku_id, 'awaited', '{}', since_at, 3
    FROM still_awaited
    UNION ALL
    SELECT
        customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id,
        sku_id, 'awaited', '{}', since_at, 3
    FROM narrowed
    UNION ALL
    SELECT
        customer_id, country, azure_subscription_id, arm_region, reservation_scope, product_id,
        sku_id, 'awaited', '{}', this.started_at, 4
    FROM newly_awaited
    CROSS JOIN this
)
SELECT
    this.snapshot_id,
    this.partner_tenant_id,
    a.customer_id,
    a.country,
    a.azure_subscription_id,
    a.arm_region,
    a.reservation_scope,
    a.product_id,
    a.sku_id,
    a.what,
    arg_min(a.detail, a.rank) AS detail,
    arg_min(a.since_at, a.rank) AS since_at
FROM all_of_them AS a
CROSS JOIN this
GROUP BY ALL;
