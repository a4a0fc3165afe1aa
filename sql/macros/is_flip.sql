-- True if an answer takes back a verdict: it reverses the verdict, or the key drops out of the
-- catalog.
-- Returns: a boolean, never NULL. Called for one key.
-- A return to the catalog is no flip. A restriction that only gets other reasons is no flip either.
CREATE OR REPLACE MACRO is_flip(before, after) AS
    COALESCE(before <> 'not_in_catalog' AND before <> after, false);
