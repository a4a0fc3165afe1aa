-- How many changes each partner has, without suspect ones.
-- Grain: one partner and kind.
-- Reads: reported, change_row.
SELECT r.partner_name AS partner, c.kind, COUNT(*) AS rows
FROM change_row AS c
INNER JOIN reported AS r ON r.snapshot_id = c.snapshot_id
WHERE NOT c.suspect
GROUP BY r.partner_name, c.kind
ORDER BY r.partner_name, c.kind;
