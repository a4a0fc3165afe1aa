-- The newest snapshots of each partner. Answers are compared with them to see if they are stale.
-- Grain: one partner.
CREATE VIEW partner_now AS
WITH placed AS (
    SELECT
        s.*,
        ROW_NUMBER() OVER (PARTITION BY s.partner_tenant_id ORDER BY s.sequence DESC) AS place,
        ROW_NUMBER() OVER (PARTITION BY s.partner_tenant_id, s.kind ORDER BY s.sequence DESC)
            AS place_of_kind
    FROM snapshot AS s
)
SELECT
    partner_tenant_id,
    MAX(CASE WHEN place = 1 THEN partner_name END) AS partner_name,
    MAX(CASE WHEN place = 1 THEN snapshot_id END) AS newest_snapshot_id,
    MAX(CASE WHEN place = 1 THEN published_at END) AS newest_published_at,
    MAX(CASE WHEN kind = 'full' AND place_of_kind = 1 THEN snapshot_id END)
        AS newest_full_snapshot_id,
    MAX(CASE WHEN kind = 'full' AND place_of_kind = 1 THEN started_at END)
        AS newest_full_started_at,
    MAX(CASE WHEN kind = 'full' AND place_of_kind = 1 THEN sequence END) AS newest_full_sequence,
    MAX(CASE WHEN kind = 'full' AND place_of_kind = 2 THEN sequence END) AS previous_full_sequence
FROM placed
GROUP BY partner_tenant_id;
