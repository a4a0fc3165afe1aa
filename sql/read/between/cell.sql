-- The cells that two snapshots cover, with what decides whether a new key in them makes a change.
-- Grain: one cell.
-- Binds: before, after (ids of snapshots).
SELECT
    a.customer_id,
    a.country,
    a.status,
    b.status AS status_before,
    b.scope AS scope_before,
    a.scope,
    EXISTS (
        FROM remembered AS r
        WHERE r.snapshot_id = $before AND r.what = 'unlisted'
        AND r.customer_id <> '' AND r.customer_id = a.customer_id AND r.azure_subscription_id = ''
    ) AS was_unlisted
FROM coverage AS b
INNER JOIN coverage AS a
    ON a.partner_tenant_id = b.partner_tenant_id
    AND a.customer_id = b.customer_id
    AND a.country = b.country
WHERE b.snapshot_id = $before AND a.snapshot_id = $after;
