-- The figures of each partner.
-- Grain: one snapshot that figures are taken from (is_head).
-- Binds: heads (the ids of these snapshots).
-- Reads: reported.
-- naive_calls: the calls of a client that sends the same listings, then one call for each product
-- (or SKU) and context. All checks of a batch share one reply, so they have the same request id. A
-- check without a reply has only the correlation id that we sent.
WITH checks AS (
    SELECT
        o.snapshot_id,
        COUNT(CASE WHEN o.kind = 'inventory' THEN 1 END) AS inventory_checks,
        COUNT(CASE WHEN o.kind = 'availability' THEN 1 END) AS availability_checks,
        COUNT(CASE WHEN o.attempts > 0 THEN 1 END) AS asked,
        COUNT(
            DISTINCT CASE
                WHEN o.attempts > 0 THEN COALESCE(NULLIF(o.request_id, ''), o.correlation_id)
            END
        ) AS sent,
        COUNT(DISTINCT o.product_id) AS products
    FROM check_outcome AS o
    INNER JOIN reported AS r ON r.snapshot_id = o.snapshot_id AND r.is_head
    WHERE o.outcome IN ('answered', 'failed')
    GROUP BY o.snapshot_id
),
people AS (
    SELECT c.snapshot_id, COUNT(*) AS customers
    FROM customer AS c
    INNER JOIN reported AS r ON r.snapshot_id = c.snapshot_id AND r.is_head
    GROUP BY c.snapshot_id
),
azure AS (
    SELECT a.snapshot_id, COUNT(*) AS azure_subscriptions
    FROM azure_subscription AS a
    INNER JOIN reported AS r ON r.snapshot_id = a.snapshot_id AND r.is_head
    GROUP BY a.snapshot_id
),
-- The filter is by id, because a join with one or two rows would hash all rows of a night.
questioned AS (
    SELECT snapshot_id, product_id, sku_id
    FROM inventory
    WHERE
        snapshot_id BETWEEN LIST_MIN($heads) AND LIST_MAX($heads)
        AND LIST_CONTAINS($heads, snapshot_id)
    GROUP BY snapshot_id, product_id, sku_id
    UNION
    SELECT snapshot_id, product_id, sku_id
    FROM availability
    WHERE
        snapshot_id BETWEEN LIST_MIN($heads) AND LIST_MAX($heads)
        AND LIST_CONTAINS($heads, snapshot_id)
    GROUP BY snapshot_id, product_id, sku_id
),
items AS (
    SELECT snapshot_id, COUNT(*) AS skus
    FROM questioned
    GROUP BY snapshot_id
)
SELECT
    s.partner_name AS partner, s.snapshot_id, s.kind, s.status, s.started_at, s.published_at,
    s.changes - COALESCE(u.suspect_changes, 0) AS changes, r.is_first, s.calls, s.retries, s.throttled,
    s.checks_answered AS answered, s.checks_failed AS failed, s.checks_skipped AS skipped,
    s.checks_not_eligible AS not_eligible, s.inventory_rows, s.availability_rows,
    COALESCE(p.customers, 0) AS customers,
    COALESCE(z.azure_subscriptions, 0) AS azure_subscriptions,
    COALESCE(c.products, 0) AS products,
    COALESCE(i.skus, 0) AS skus,
    COALESCE(c.inventory_checks, 0) AS inventory_checks,
    COALESCE(c.availability_checks, 0) AS availability_checks,
    GREATEST(s.calls - COALESCE(c.sent, 0), 0) + COALESCE(c.asked, 0) AS naive_calls
FROM snapshot AS s
INNER JOIN reported AS r ON r.snapshot_id = s.snapshot_id AND r.is_head
LEFT JOIN checks AS c ON c.snapshot_id = s.snapshot_id
LEFT JOIN people AS p ON p.snapshot_id = s.snapshot_id
LEFT JOIN azure AS z ON z.snapshot_id = s.snapshot_id
LEFT JOIN snapshot_health AS u ON u.snapshot_id = s.snapshot_id
LEFT JOIN items AS i ON i.snapshot_id = s.snapshot_id
ORDER BY s.partner_name, s.sequence;
