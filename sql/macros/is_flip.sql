-- Whether an answer takes back a verdict: it turns round, or drops out of the catalog.
-- Grain: one key.  Coming back into the catalog, and other reasons for a restriction, are no flips.
CREATE OR REPLACE MACRO is_flip(before, after) AS
    COALESCE(before <> 'not_in_catalog' AND before <> after, false);
