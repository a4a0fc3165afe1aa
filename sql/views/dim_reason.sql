-- Each reason in plain words: what it means, and what the reader can do.
-- Grain: one reason, in whatever letter case, identified by reason_key.
-- The reasons are Microsoft's codes of restrictions, and the reasons of checks that failed, were
-- skipped or are not eligible. A reason that occurs in the store and has no words of its own has the
-- words of all such reasons of its kind; is_known is then false.
CREATE VIEW dim_reason AS
WITH sent AS (
    SELECT reason_code AS reason_codes FROM current_restriction
    UNION
    SELECT reason_codes_before FROM change WHERE reason_codes_before <> ''
    UNION
    SELECT reason_codes_after FROM change WHERE reason_codes_after <> ''
    UNION
    SELECT reason_codes FROM ending WHERE reason_codes <> ''
),
code AS (
    SELECT UNNEST(string_to_array(reason_codes, ';')) AS reason FROM sent
),
-- The reason of a failed listing begins with the name of the listing.
found AS (
    SELECT 'restriction' AS kind, reason FROM code
    UNION
    SELECT outcome, regexp_replace(reason, '^.*: ', '') FROM current_check_outcome
    WHERE outcome <> 'answered'
),
unlisted AS (
    SELECT lower(f.reason) AS reason_key, MIN(f.reason) AS reason, MIN(f.kind) AS kind
    FROM found AS f
    WHERE
        f.reason <> ''
        AND NOT EXISTS (
            SELECT 1 FROM known_reason AS k WHERE lower(k.reason) = lower(f.reason)
        )
    GROUP BY lower(f.reason)
)
SELECT lower(reason) AS reason_key, reason, kind, sentence, next_step, true AS is_known
FROM known_reason
WHERE reason NOT IN ('*', '')
UNION ALL
SELECT
    u.reason_key, u.reason, u.kind, k.sentence, k.next_step,
    k.reason <> '*' AS is_known
FROM unlisted AS u
INNER JOIN known_reason AS k
    ON k.kind = u.kind
    AND k.reason = CASE
        WHEN u.kind = 'failed' AND u.reason_key LIKE 'http_4%' THEN 'http_4xx'
        WHEN u.kind = 'failed' AND u.reason_key LIKE 'http_5%' THEN 'http_5xx'
        ELSE '*'
    END;
