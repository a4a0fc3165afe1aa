-- The runs that began later than a run, and what they asked about customers, in order.
-- Grain: one snapshot and Azure subscription with inventory checks, licence with an availability
--        check, or customer with a failed listing. A snapshot without any of them is one row.
-- Binds: snapshots (the ids to look at), began (when the run began).
SELECT
    s.snapshot_id,
    s.started_at,
    s.scope,
    o.kind,
    o.customer_id,
    CASE o.kind WHEN 'inventory' THEN o.azure_subscription_id ELSE '' END AS azure_subscription_id,
    CASE o.kind WHEN 'availability' THEN o.product_id ELSE '' END AS product_id,
    CASE o.kind WHEN 'availability' THEN o.sku_id ELSE '' END AS sku_id,
    bool_and(o.outcome = 'answered') AS is_answered
FROM snapshot AS s
LEFT JOIN check_outcome AS o
    ON o.snapshot_id = s.snapshot_id AND o.customer_id <> '' AND o.outcome <> 'not_eligible'
WHERE s.snapshot_id IN (SELECT unnest($snapshots)) AND s.started_at > $began
GROUP BY ALL
ORDER BY ALL;
