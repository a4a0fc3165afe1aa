-- Renewals that would buy a SKU that cannot be bought.
-- Grain: one commerce subscription whose term ends within 90 days after its snapshot.
-- The renewal buys next_product_id and next_sku_id. If these are empty, it buys the product and SKU
-- that are held now. It is at risk if availabilities of that SKU are known and none is purchasable.
-- If availabilities for the next term are known, only these count. A SKU that was never checked is
-- not here: see unanswered.
CREATE VIEW renewal_at_risk AS
WITH renewal AS (
    SELECT
        h.*,
        s.published_at,
        CASE WHEN COALESCE(h.next_product_id, '') = '' THEN h.product_id ELSE h.next_product_id END
            AS bought_product_id,
        CASE WHEN COALESCE(h.next_product_id, '') = '' THEN h.sku_id ELSE h.next_sku_id END
            AS bought_sku_id,
        COALESCE(NULLIF(h.next_term_duration, ''), h.term_duration) AS bought_term_duration
    FROM current_commerce_subscription AS h
    INNER JOIN snapshot AS s ON s.snapshot_id = h.snapshot_id
    WHERE
        COALESCE(h.end_action, 'unknown') <> 'ends'
        AND h.product_id <> ''
        AND h.term_ends_at >= s.published_at
        AND h.term_ends_at <= s.published_at + INTERVAL '90 days'
),
offered AS (
    SELECT
        r.partner_tenant_id, r.customer_id, r.commerce_subscription_id,
        COUNT(CASE WHEN a.verdict = 'purchasable' THEN 1 END) AS purchasable,
        COUNT(CASE WHEN a.term_duration = r.bought_term_duration THEN 1 END) AS of_term,
        COUNT(
            CASE
                WHEN a.term_duration = r.bought_term_duration AND a.verdict = 'purchasable' THEN 1
            END
        ) AS purchasable_of_term,
        COUNT(CASE WHEN a.verdict = 'not_purchasable' THEN 1 END) AS not_purchasable,
        MAX(a.checked_at) AS checked_at
    FROM renewal AS r
    INNER JOIN current_availability AS a
        ON a.partner_tenant_id = r.partner_tenant_id
        AND a.customer_id = r.customer_id
        AND a.product_id = r.bought_product_id
        AND a.sku_id = r.bought_sku_id
    GROUP BY r.partner_tenant_id, r.customer_id, r.commerce_subscription_id
)
SELECT
    r.partner_tenant_id, r.customer_id, r.commerce_subscription_id,
    COALESCE(c.company_name, '') AS company_name,
    r.product_id, r.sku_id, r.offer_name, r.quantity, r.term_duration, r.billing_cycle,
    r.term_ends_at, r.end_action, r.reseller_id,
    r.bought_product_id, r.bought_sku_id, r.bought_term_duration,
    COALESCE(n.product_title, '') AS product_title,
    COALESCE(NULLIF(n.sku_title, ''), r.offer_name, '') AS sku_title,
    CASE WHEN o.not_purchasable > 0 THEN 'not_purchasable' ELSE 'not_in_catalog' END AS verdict,
    o.checked_at,
    r.snapshot_id,
    r.partner_tenant_id || '|' || r.customer_id AS customer_key
FROM renewal AS r
INNER JOIN offered AS o
    ON o.partner_tenant_id = r.partner_tenant_id
    AND o.customer_id = r.customer_id
    AND o.commerce_subscription_id = r.commerce_subscription_id
LEFT JOIN current_customer AS c
    ON c.partner_tenant_id = r.partner_tenant_id AND c.customer_id = r.customer_id
LEFT JOIN sku_name AS n
    ON n.partner_tenant_id = r.partner_tenant_id
    AND n.product_id = r.bought_product_id
    AND n.sku_id = r.bought_sku_id
WHERE
    CASE WHEN o.of_term > 0 THEN o.purchasable_of_term ELSE o.purchasable END = 0;
