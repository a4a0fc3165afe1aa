-- The snapshots that a report is about: the wanted snapshots. If none is wanted, the snapshots
-- after each partner's previous full snapshot.
-- Grain: one snapshot.
-- Reads: wanted (ids of snapshots).
-- is_head:    the snapshot that gives a partner's figures: the newest full one, if there is one
-- is_first:   the partner's first snapshot, which has no earlier one to compare with
-- fresh_from, fresh_snapshot_id: when the newest full run began, and its snapshot. Older answers
-- are stale.
WITH first_of AS (
    SELECT partner_tenant_id, MIN(sequence) AS first_sequence
    FROM snapshot
    GROUP BY partner_tenant_id
),
bounds AS (
    SELECT
        partner_tenant_id, newest_snapshot_id,
        COALESCE(newest_full_snapshot_id, newest_snapshot_id) AS head_snapshot_id,
        COALESCE(previous_full_sequence, 0) AS after_sequence
    FROM partner_now
),
chosen AS (
    SELECT
        s.snapshot_id, s.sequence, s.partner_tenant_id, s.partner_name, s.started_at,
        w.snapshot_id IS NOT NULL OR s.snapshot_id = b.head_snapshot_id AS is_head,
        w.snapshot_id IS NOT NULL AS is_wanted,
        s.snapshot_id = b.newest_snapshot_id AS is_newest,
        s.sequence = o.first_sequence AS is_first
    FROM snapshot AS s
    INNER JOIN bounds AS b ON b.partner_tenant_id = s.partner_tenant_id
    INNER JOIN first_of AS o ON o.partner_tenant_id = s.partner_tenant_id
    LEFT JOIN wanted AS w ON w.snapshot_id = s.snapshot_id
    WHERE
        w.snapshot_id IS NOT NULL
        OR (s.sequence > b.after_sequence AND NOT EXISTS (SELECT 1 FROM wanted))
)
SELECT
    c.snapshot_id, c.sequence, c.partner_tenant_id, c.partner_name, c.is_head, c.is_newest,
    c.is_first,
    COALESCE(
        (
            SELECT MAX(f.started_at)
            FROM snapshot AS f
            WHERE
                f.partner_tenant_id = c.partner_tenant_id
                AND f.kind = 'full'
                AND (f.sequence <= c.sequence OR NOT c.is_wanted)
        ),
        c.started_at
    ) AS fresh_from,
    COALESCE(
        (
            SELECT ARG_MAX(f.snapshot_id, f.started_at)
            FROM snapshot AS f
            WHERE
                f.partner_tenant_id = c.partner_tenant_id
                AND f.kind = 'full'
                AND (f.sequence <= c.sequence OR NOT c.is_wanted)
        ),
        c.snapshot_id
    ) AS fresh_snapshot_id
FROM chosen AS c
ORDER BY c.partner_name, c.sequence;
