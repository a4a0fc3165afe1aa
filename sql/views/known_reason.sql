-- The reasons that have words of their own: `sql/reasons.toml`.
-- Grain: one kind and reason.
-- The reasons '*', 'http_4xx' and 'http_5xx' stand for others, and '' for none.
CREATE VIEW known_reason AS
SELECT kind, reason, sentence, next_step
FROM (VALUES ('{reasons}')) AS known (kind, reason, sentence, next_step);
