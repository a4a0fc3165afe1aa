"""Promise P4's table, cell by cell: what kind of change an answer makes of what was known."""

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
SAID = {"restricted": SHUT, "unrestricted": OPEN, "not_in_catalog": ABSENT}


def kinds(before: Row, after: Row | None) -> list[str]:
    """Return the kinds of change, with an answer or (None) without one."""
    answers = [] if after is None else [{**key(), **after, "checked_at": at(2, 1)}]
    results = bench.compare(
        cell(),
        known={"inventory": [{**key(), **before, **known_since(1)}]},
        answers={"inventory": answers},
        checks=[settled(key(), "answered" if answers else "failed")],
    )
    return [kind for _, kind in bench.kinds(results)]


@pytest.mark.parametrize("after", SAID)
@pytest.mark.parametrize("before", SAID)
def test_an_answer_makes_the_kind_of_the_table(before: str, after: str) -> None:
    kind = TABLE.get((before, after))
    assert kinds(SAID[before], SAID[after]) == ([kind] if kind else [])


@pytest.mark.parametrize("before", SAID)
def test_without_an_answer_there_is_no_change(before: str) -> None:
    """P2."""
    assert kinds(SAID[before], None) == []


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
def test_another_set_of_codes_or_values_is_a_change_and_another_letter_case_is_not(
    before: tuple[str, str], after: tuple[str, str], *, is_changed: bool
) -> None:
    found = kinds(said("restricted", *before), said("restricted", *after))
    assert found == (["restriction_changed"] if is_changed else [])


# A SKU list that was not asked --------------------------------------------------------------


@pytest.mark.parametrize("is_cached", [True, False])
@pytest.mark.parametrize("before", SAID)
def test_what_an_answer_leaves_out_stays_known_while_its_list_is_not_asked(
    before: str, *, is_cached: bool
) -> None:
    """It may have left the catalog, which is one change and not one for each customer."""
    where = ("country", "reservation_scope", "product_id", "sku_id")
    results = bench.compare(
        cell(),
        known={"inventory": [{**key(), **SAID[before], **known_since(1)}]},
        answers={"inventory": [{**key(), **ABSENT, "checked_at": at(2, 1)}]},
        checks=[settled(key())],
        proved={"cached_sku": [{name: key()[name] for name in where}] if is_cached else []},
    )
    held_back = is_cached and before != "not_in_catalog"
    seen = (before, at(1, 1)) if held_back else ("not_in_catalog", at(2, 1))
    assert bench.rows_of(results["inventory"], "verdict", "checked_at") == [seen]
    assert bool(bench.kinds(results)) == (not is_cached and before != "not_in_catalog")


def test_of_a_list_that_was_not_asked_any_other_answer_stands() -> None:
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
