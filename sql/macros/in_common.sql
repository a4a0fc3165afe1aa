-- The text that all rows of a group have in common; '' if they differ, or have none.
-- Returns: a text, never NULL. Called for a column of the rows of a group: it is an aggregate.
CREATE OR REPLACE MACRO in_common(texts) AS (
    CASE WHEN MIN(COALESCE(texts, '')) = MAX(COALESCE(texts, '')) THEN MIN(COALESCE(texts, ''))
    ELSE '' END
);
