-- True if so many of some keys changed that independent changes would hardly explain it.
-- Returns: a boolean. Called for one group of keys: `rows` of its `keys` keys changed, `rate` is the
-- share of keys that change independently. Chance brings that many with a probability below
-- exp(-10), by Chernoff's bound for a Poisson distribution.
CREATE OR REPLACE MACRO is_beyond_chance(rows, keys, rate) AS (
    rows >= 2
    AND rows > keys * rate
    AND rows * ln(rows / (keys * rate)) - (rows - keys * rate) >= 10
);
