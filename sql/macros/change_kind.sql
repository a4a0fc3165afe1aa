-- The kind of a change: `before` is the known value of a key, `after` the new answer.
-- Returns: the kind, NULL if nothing changed. Called for one key.
-- Order and letter case of codes and values do not count: they arrive sorted, so comparing them in
-- one letter case compares them as sets.
CREATE OR REPLACE MACRO change_kind(
    before, after, codes_before, codes_after, values_before, values_after
) AS CASE
    WHEN before IS NULL OR after IS NULL THEN NULL
    WHEN before = 'not_in_catalog' AND after <> 'not_in_catalog' THEN 'entered_catalog'
    WHEN before <> 'not_in_catalog' AND after = 'not_in_catalog' THEN 'left_catalog'
    WHEN before = 'unrestricted' AND after = 'restricted' THEN 'newly_restricted'
    WHEN before = 'restricted' AND after = 'unrestricted' THEN 'restriction_lifted'
    WHEN before = 'restricted' AND after = 'restricted' AND (
        lower(codes_before) <> lower(codes_after) OR lower(values_before) <> lower(values_after)
    ) THEN 'restriction_changed'
    WHEN before = 'purchasable' AND after = 'not_purchasable' THEN 'no_longer_purchasable'
    WHEN before = 'not_purchasable' AND after = 'purchasable' THEN 'purchasable_again'
END;
