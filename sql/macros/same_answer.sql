-- True if two answers have the same verdict, reason codes and restriction values.
-- Returns: a boolean, never NULL; false if either answer is missing. Called for one key.
-- Letter case does not count. Codes and values arrive sorted, so their order does not count either.
CREATE OR REPLACE MACRO same_answer(
    verdict, other_verdict, codes, other_codes, restricted, other_restricted
) AS COALESCE(
    verdict = other_verdict AND lower(codes) = lower(other_codes)
    AND lower(restricted) = lower(other_restricted), false
);
