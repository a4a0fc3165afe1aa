-- True if a key is not in the catalog because its SKU left, and it had no answer of its own since
-- the SKU left.
-- Returns: a boolean, never NULL. Called for one key and one absence of its SKU from the catalog.
-- since_at is when the key's verdict not_in_catalog began, known_at is when it was last proven. The
-- absence of the SKU lasts from gone_at until until_at. If the key has an answer of its own, its
-- times do not fit the absence.
CREATE OR REPLACE MACRO is_catalogs_own(since_at, known_at, gone_at, until_at) AS COALESCE(
    since_at = gone_at AND (known_at = gone_at OR known_at < until_at), false
);
