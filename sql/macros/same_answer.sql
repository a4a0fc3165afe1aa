-- Whether two answers say the same. Order and letter case of codes and values do not count: they
-- come sorted.
-- Grain: one key.  An answer that is missing (NULL) says the same as none.
CREATE OR REPLACE MACRO same_answer(
    verdict, other_verdict, codes, other_codes, restricted, other_restricted
) AS COALESCE(
    verdict = other_verdict AND lower(codes) = lower(other_codes)
    AND lower(restricted) = lower(other_restricted), false
);
