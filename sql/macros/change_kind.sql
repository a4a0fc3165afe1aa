-- The transition table: what kind of change it is to see `after` where `before` was known.
-- Grain: one key.  NULL means no change. Order and letter case of codes and values do not count:
-- they come sorted, so comparing them folded is comparing sets.
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
