-- True if an answer takes back a verdict: it reverses it, or drops the key out of the catalog.
-- Returns: a boolean, never NULL. Called for one key.
-- A return to the catalog is no flip, nor are other reasons for the same restriction.
CREATE OR REPLACE MACRO is_flip(before, after) AS
    COALESCE(before <> 'not_in_catalog' AND before <> after, false);
