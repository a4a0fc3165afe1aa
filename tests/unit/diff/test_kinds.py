"""The table of promise P4: which kind of change follows from the known and the new answer."""

from collections.abc import Mapping

import pyarrow as pa
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


def reason(ordinal: int, code: str, value: str, description: str = "") -> Row:
    texts = {"reason_code": code, "type": "Location", "value": value, "description": description}
    return {**key(), "ordinal": ordinal, **texts}


OLD = {**key(), **said("restricted", "A;b", "CANADAEAST;westus2"), **known_since(1)}
OLD_REASONS = [reason(0, "A", "CANADAEAST", "In CANADAEAST"), reason(1, "b", "westus2")]


def told_again(codes: str, values: str, *reasons: Row) -> Mapping[str, pa.Table]:
    """Return the night on which a key that an older version wrote is answered."""
    answer = {**key(), **said("restricted", codes, values), "checked_at": at(2, 1)}
    return bench.compare(
        cell(),
        known={"inventory": [OLD], "restriction": OLD_REASONS},
        answers={"inventory": [answer], "restriction": reasons},
        checks=[settled(key())],
    )


def test_another_letter_case_or_order_alone_changes_no_row() -> None:
    """So a database writes no interval: also where an older version wrote upper-case regions."""
    reasons = [reason(0, "B", "westus2"), reason(1, "a", "canadaeast", "in canadaeast")]
    results = told_again("a;B", "canadaeast;westus2", *reasons)
    [row] = results["inventory"].to_pylist()
    assert (row["reason_codes"], row["restriction_values"]) == ("A;b", "CANADAEAST;westus2")
    assert row["checked_at"] == at(2, 1)
    columns = ("ordinal", "reason_code", "value", "description")
    assert bench.rows_of(results["restriction"], *columns) == [
        tuple(row[name] for name in columns) for row in OLD_REASONS
    ]
    assert results["change"].num_rows == 0


def test_a_change_is_told_in_lower_case_before_and_after() -> None:
    results = told_again("A;b", "canadaeast", reason(0, "A", "canadaeast"))
    values = ("restriction_values_before", "restriction_values_after")
    assert bench.kinds(results, *values) == [
        ("inventory", "restriction_changed", "canadaeast;westus2", "canadaeast")
    ]
    assert bench.rows_of(results["restriction"], "value") == [("canadaeast",)]
    assert bench.rows_of(results["inventory"], "restriction_values") == [("canadaeast",)]


def test_another_description_is_no_change_and_is_kept() -> None:
    reasons = [reason(0, "A", "canadaeast", "Elsewhere"), reason(1, "b", "westus2")]
    results = told_again("A;b", "canadaeast;westus2", *reasons)
    assert bench.rows_of(results["restriction"], "value", "description") == [
        ("canadaeast", "Elsewhere"),
        ("westus2", ""),
    ]
    assert results["change"].num_rows == 0


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
