-- The licences whose term ends soon and that are not known to end with it, those at risk first.
-- Grain: one commerce subscription.
-- Binds: from_at, to_at (times between which the term ends), customer_id ('' for every customer).
-- What the renewal buys, and the verdict, follow the view renewal_at_risk. verdict: `unknown` if no
-- availability of the bought SKU is known; reason then says why, as far as a check says so.
-- renew_to: what the availabilities of the SKU that is held say it can be renewed to.
WITH renewal AS (
    SELECT
        h.*,
        CASE WHEN COALESCE(h.next_product_id, '') = '' THEN h.product_id ELSE h.next_product_id END
            AS bought_product_id,
        CASE WHEN COALESCE(h.next_product_id, '') = '' THEN h.sku_id ELSE h.next_sku_id END
            AS bought_sku_id,
        COALESCE(NULLIF(h.next_term_duration, ''), h.term_duration) AS bought_term_duration
    FROM current_commerce_subscription AS h
    WHERE
        COALESCE(h.end_action, 'unknown') <> 'ends'
        AND COALESCE(h.status, '') NOT IN ('deleted', 'expired')
        AND h.term_ends_at >= $from_at
        AND h.term_ends_at <= $to_at
        AND ($customer_id = '' OR h.customer_id = $customer_id)
),
offered AS (
    SELECT
        r.partner_tenant_id, r.customer_id, r.commerce_subscription_id,
        a.term_duration = r.bought_term_duration AS is_of_term,
        a.verdict, a.checked_at, a.is_stale
    FROM renewal AS r
    INNER JOIN latest_availability AS a
        ON a.partner_tenant_id = r.partner_tenant_id
        AND a.customer_id = r.customer_id
        AND a.product_id = r.bought_product_id
        AND a.sku_id = r.bought_sku_id
),
counted AS (
    SELECT
        o.partner_tenant_id, o.customer_id, o.commerce_subscription_id,
        COUNT(CASE WHEN o.verdict = 'purchasable' THEN 1 END) AS purchasable,
        COUNT(CASE WHEN o.verdict = 'not_purchasable' THEN 1 END) AS not_purchasable,
        COUNT(CASE WHEN o.is_of_term THEN 1 END) AS of_term,
        COUNT(CASE WHEN o.is_of_term AND o.verdict = 'purchasable' THEN 1 END)
            AS purchasable_of_term,
        MAX(o.checked_at) AS checked_at,
        BOOL_OR(o.is_stale) AS is_stale
    FROM offered AS o
    GROUP BY o.partner_tenant_id, o.customer_id, o.commerce_subscription_id
),
instructed AS (
    SELECT DISTINCT
        r.partner_tenant_id, r.customer_id, r.commerce_subscription_id,
        UNNEST(string_to_array(a.renew_to, ';')) AS named
    FROM renewal AS r
    INNER JOIN current_availability AS a
        ON a.partner_tenant_id = r.partner_tenant_id
        AND a.customer_id = r.customer_id
        AND a.product_id = r.product_id
        AND a.sku_id = r.sku_id
        AND a.term_duration = r.term_duration
    WHERE COALESCE(a.renew_to, '') <> ''
),
target AS (
    SELECT
        i.partner_tenant_id, i.customer_id, i.commerce_subscription_id,
        string_agg(i.named, ';' ORDER BY i.named) AS renew_to,
        string_agg(
            DISTINCT COALESCE(NULLIF(n.sku_title, ''), i.named), ';'
            ORDER BY COALESCE(NULLIF(n.sku_title, ''), i.named)
        ) AS renew_to_titles
    FROM instructed AS i
    LEFT JOIN sku_name AS n
        ON n.partner_tenant_id = i.partner_tenant_id
        AND i.named = n.product_id || ':' || n.sku_id
    GROUP BY i.partner_tenant_id, i.customer_id, i.commerce_subscription_id
),
silent AS (
    SELECT
        o.partner_tenant_id, o.customer_id, o.product_id, o.sku_id,
        MIN(o.outcome) AS outcome, MIN(o.reason) AS reason
    FROM current_check_outcome AS o
    WHERE o.kind = 'availability' AND o.outcome <> 'answered'
    GROUP BY o.partner_tenant_id, o.customer_id, o.product_id, o.sku_id
),
named AS (
    SELECT
        p.partner_name, r.customer_id, COALESCE(c.company_name, '') AS company_name,
        COALESCE(NULLIF(h.sku_title, ''), r.offer_name, '') AS held_title,
        r.quantity, r.term_duration, r.billing_cycle, r.term_ends_at,
        date_diff('day', CAST($from_at AS timestamptz), r.term_ends_at) AS days_left,
        r.end_action, r.status,
        COALESCE(NULLIF(n.sku_title, ''), r.offer_name, '') AS bought_title,
        r.bought_product_id, r.bought_sku_id, r.bought_term_duration,
        CASE
            WHEN o.commerce_subscription_id IS NULL THEN 'unknown'
            WHEN CASE WHEN o.of_term > 0 THEN o.purchasable_of_term ELSE o.purchasable END > 0
                THEN 'purchasable'
            WHEN o.not_purchasable > 0 THEN 'not_purchasable'
            ELSE 'not_in_catalog'
        END AS verdict,
        COALESCE(t.renew_to, '') AS renew_to,
        COALESCE(t.renew_to_titles, '') AS renew_to_titles,
        o.checked_at, COALESCE(o.is_stale, false) AS is_stale,
        CASE
            WHEN o.commerce_subscription_id IS NOT NULL THEN ''
            ELSE COALESCE(x.outcome, y.outcome, '')
        END AS outcome,
        CASE
            WHEN o.commerce_subscription_id IS NOT NULL THEN ''
            ELSE COALESCE(x.reason, y.reason, '')
        END AS reason,
        r.product_id, r.sku_id, r.commerce_subscription_id, r.reseller_id, r.partner_tenant_id,
        r.partner_tenant_id || '|' || r.customer_id AS customer_key
    FROM renewal AS r
    INNER JOIN partner_now AS p ON p.partner_tenant_id = r.partner_tenant_id
    LEFT JOIN counted AS o
        ON o.partner_tenant_id = r.partner_tenant_id
        AND o.customer_id = r.customer_id
        AND o.commerce_subscription_id = r.commerce_subscription_id
    LEFT JOIN target AS t
        ON t.partner_tenant_id = r.partner_tenant_id
        AND t.customer_id = r.customer_id
        AND t.commerce_subscription_id = r.commerce_subscription_id
    LEFT JOIN silent AS x
        ON x.partner_tenant_id = r.partner_tenant_id
        AND x.customer_id = r.customer_id
        AND x.product_id = r.bought_product_id
        AND x.sku_id = r.bought_sku_id
    LEFT JOIN silent AS y
        ON y.partner_tenant_id = r.partner_tenant_id
        AND y.customer_id = r.customer_id
        AND y.product_id = ''
        AND y.sku_id = ''
    LEFT JOIN current_customer AS c
        ON c.partner_tenant_id = r.partner_tenant_id AND c.customer_id = r.customer_id
    LEFT JOIN sku_name AS n
        ON n.partner_tenant_id = r.partner_tenant_id
        AND n.product_id = r.bought_product_id
        AND n.sku_id = r.bought_sku_id
    LEFT JOIN sku_name AS h
        ON h.partner_tenant_id = r.partner_tenant_id
        AND h.product_id = r.product_id
        AND h.sku_id = r.sku_id
)
SELECT w.*, w.verdict IN ('not_purchasable', 'not_in_catalog') AS is_at_risk
FROM named AS w
ORDER BY
    w.verdict NOT IN ('not_purchasable', 'not_in_catalog'),
    w.verdict <> 'unknown' AND NOT w.is_stale,
    w.term_ends_at, w.company_name, w.customer_id, w.commerce_subscription_id;
