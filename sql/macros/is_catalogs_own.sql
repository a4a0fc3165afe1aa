-- True if the catalog took a key away, and the key has had no answer of its own since.
-- Returns: a boolean, never NULL. Called for one key and one absence of its SKU from the catalog.
-- since_at is since when the key is not in the catalog, known_at when that was proven last. An
-- absence lasts from gone_at until until_at: an answer for the key itself is older or younger.
CREATE OR REPLACE MACRO is_catalogs_own(since_at, known_at, gone_at, until_at) AS COALESCE(
    since_at = gone_at AND (known_at = gone_at OR known_at < until_at), false
);
