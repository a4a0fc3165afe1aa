"""The table of promise P4: which kind of change follows from the known and the new answer."""

import pytest

from tests.builders import diff as bench
from tests.builders.diff import ABSENT, OPEN, SHUT, Row, at, cell, key, known_since, said, settled

TABLE = {
    ("restricted", "unrestricted"): "restriction_lifted",
    ("restricted", "not_in_catalog"): "left_catalog",
    ("unrestricted", "restricted"): "newly_restricted",
    ("unrestricted", "not_in_catalog"): "left_catalog",
    ("not_in_catalog", "restricted"): "entered_catalog",
    ("not_in_catalog", "unrestricted"): "entered_catalog",
}
ANSWERS = {"restricted": SHUT, "unrestricted": OPEN, "not_in_catalog": ABSENT}


def kinds(before: Row, after: Row | None) -> list[str]:
    """Return the kinds of change after an answer, or without one if `after` is None."""
    answers = [] if after is None else [{**key(), **after, "checked_at": at(2, 1)}]
    results = bench.compare(
        cell(),
        known={"inventory": [{**key(), **before, **known_since(1)}]},
        answers={"inventory": answers},
        checks=[settled(key(), "answered" if answers else "failed")],
    )
    return [kind for _, kind in bench.kinds(results)]


@pytest.mark.parametrize("after", ANSWERS)
@pytest.mark.parametrize("before", ANSWERS)
def test_an_answer_gives_the_kind_in_the_table(before: str, after: str) -> None:
    kind = TABLE.get((before, after))
    assert kinds(ANSWERS[before], ANSWERS[after]) == ([kind] if kind else [])


@pytest.mark.parametrize("before", ANSWERS)
def test_without_an_answer_there_is_no_change(before: str) -> None:
    """P2."""
    assert kinds(ANSWERS[before], None) == []


@pytest.mark.parametrize(
    ("before", "after", "is_changed"),
    [
        (("A", "x"), ("A", "x"), False),
        (("A", "x"), ("a", "x"), False),
        (("A", "eastus;WestUS"), ("A", "EastUS;westus"), False),
        (("A", "x"), ("B", "x"), True),
        (("A", "x"), ("A;B", "x"), True),
        (("A", "x"), ("A", "y"), True),
        (("A", "x"), ("A", "x;y"), True),
        (("A", "x"), ("A", ""), True),
        (("", ""), ("", ""), False),
    ],
)
def test_other_codes_or_values_are_a_change_and_another_letter_case_is_not(
    before: tuple[str, str], after: tuple[str, str], *, is_changed: bool
) -> None:
    found = kinds(said("restricted", *before), said("restricted", *after))
    assert found == (["restriction_changed"] if is_changed else [])


# A SKU list that was not asked --------------------------------------------------------------


@pytest.mark.parametrize("is_cached", [True, False])
@pytest.mark.parametrize("before", ANSWERS)
def test_a_key_left_out_of_a_reply_is_carried_while_its_list_is_cached(
    before: str, *, is_cached: bool
) -> None:
    """The SKU may have left the catalog, which is one change and not one per customer."""
    where = ("country", "reservation_scope", "product_id", "sku_id")
    results = bench.compare(
        cell(),
        known={"inventory": [{**key(), **ANSWERS[before], **known_since(1)}]},
        answers={"inventory": [{**key(), **ABSENT, "checked_at": at(2, 1)}]},
        checks=[settled(key())],
        proved={"cached_sku": [{name: key()[name] for name in where}] if is_cached else []},
    )
    held_back = is_cached and before != "not_in_catalog"
    expected = (before, at(1, 1)) if held_back else ("not_in_catalog", at(2, 1))
    assert bench.rows_of(results["inventory"], "verdict", "checked_at") == [expected]
    assert bool(bench.kinds(results)) == (not is_cached and before != "not_in_catalog")


def test_any_other_answer_counts_while_the_list_is_cached() -> None:
    where = ("country", "reservation_scope", "product_id", "sku_id")
    cached = {"cached_sku": [{name: key()[name] for name in where}]}
    for before in (None, OPEN, ABSENT):
        results = bench.compare(
            cell(),
            known={"inventory": [{**key(), **before, **known_since(1)}] if before else []},
            answers={"inventory": [{**key(), **SHUT, "checked_at": at(2, 1)}]},
            checks=[settled(key())],
            proved=cached,
        )
        assert bench.rows_of(results["inventory"], "verdict") == [("restricted",)]
