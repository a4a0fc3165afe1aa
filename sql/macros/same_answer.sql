-- True if two answers have the same verdict, reason codes and restriction values.
-- Returns: a boolean, never NULL; false if either answer is missing. Called for one key.
-- Letter case does not count; neither does order, as codes and values arrive sorted.
CREATE OR REPLACE MACRO same_answer(
    verdict, other_verdict, codes, other_codes, restricted, other_restricted
) AS COALESCE(
    verdict = other_verdict AND lower(codes) = lower(other_codes)
    AND lower(restricted) = lower(other_restricted), false
);
