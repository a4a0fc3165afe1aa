"""A SKU that leaves the catalog is one change for all its customers together."""

from collections.abc import Mapping

import pyarrow as pa
import pytest

from tests.builders import diff as bench
from tests.builders.diff import (
    ABSENT,
    ACME,
    BOND,
    OPEN,
    SHUT,
    Row,
    at,
    cell,
    key,
    known_since,
    settled,
)

NAME = {"country": "DE", "reservation_scope": "AzurePlan", "product_id": "DZH1", "sku_id": "0001"}
GONE_AT = at(2, 3)
LEFT = {**NAME, "kind": "left_catalog", "detail": '{"title":"D4s"}', "after_at": GONE_AT}
BACK = {**NAME, "kind": "entered_catalog", "before_at": GONE_AT, "after_at": at(3)}
ALL = (cell("", "DE"), cell(ACME), cell(BOND))


def of_both(verdict: Row, night: int = 1) -> list[Row]:
    return [{**key(customer_id=c), **verdict, **known_since(night)} for c in (ACME, BOND)]


def leave(known: list[Row]) -> dict[str, pa.Table]:
    """Return the results of the night on which the catalog no longer lists the SKU."""
    return bench.compare(
        *ALL,
        known={"inventory": known},
        proved={"gone": [{**NAME, "gone_at": GONE_AT}], "catalog_event": [LEFT]},
        is_catalog=True,
    )


def come_back(
    before: Mapping[str, pa.Table],
    answers: Mapping[str, Row],
    *,
    night: int = 3,
    event: bool = True,
    gone_at: object = GONE_AT,
    absence: Row | None = None,
) -> dict[str, pa.Table]:
    """Return the results of the night of the return, or of a later night with answers."""
    rows = [
        {**key(customer_id=c), **what, "checked_at": at(night, 1)} for c, what in answers.items()
    ]
    return bench.compare(
        *(cell(c["customer_id"], c["country"], previous=night - 1) for c in ALL),
        night=night,
        known=bench.carried(before),
        answers={"inventory": rows},
        proved={
            "catalog_event": [BACK] if event else [],
            "catalog_absence": [{**NAME, "gone_at": gone_at, **(absence or {})}],
        },
        is_catalog=True,
        gaps=lambda t: t.append_column("gap_snapshots", pa.array([0] * t.num_rows, pa.int64())),
    )


def test_a_departure_is_one_change_that_counts_the_customers() -> None:
    results = leave(of_both(OPEN))
    assert bench.kinds(results, "customer_id", "product_id", "sku_id", "affected_customers") == [
        ("catalog", "left_catalog", "", "DZH1", "0001", 2)
    ]
    [row] = results["change"].to_pylist()
    assert (row["verdict_before"], row["verdict_after"]) == ("", "not_in_catalog")
    assert (row["before_at"], row["after_at"]) == (None, GONE_AT)
    assert row["detail"] == LEFT["detail"]


def test_the_keys_of_a_departed_sku_are_not_in_catalog_from_then_on() -> None:
    results = leave(of_both(SHUT))
    for row in results["inventory"].to_pylist():
        assert row["verdict"] == "not_in_catalog"
        assert row["reason_codes"] == row["restriction_values"] == ""
        assert row["region"] == "westeurope"
        assert row["checked_at"] == row["verdict_since_at"] == GONE_AT
        assert row["checked_snapshot_id"] == row["verdict_since_snapshot_id"] == bench.snapshot(2)


def test_a_customer_that_was_not_offered_the_sku_is_not_counted() -> None:
    known = [
        {**key(customer_id=ACME), **ABSENT, **known_since(1)},
        {**key(customer_id=BOND), **SHUT, **known_since(1)},
    ]
    results = leave(known)
    assert bench.kinds(results, "affected_customers") == [("catalog", "left_catalog", 1)]


@pytest.mark.parametrize(
    "other",
    [{"country": "FR"}, {"reservation_scope": "x"}, {"product_id": "DZH2"}, {"sku_id": "0002"}],
)
def test_a_customer_that_was_offered_only_another_sku_is_not_counted(other: Row) -> None:
    of_acme, of_bond = of_both(OPEN)
    results = bench.compare(
        *ALL,
        cell(BOND, "FR"),
        known={"inventory": [of_acme, {**of_bond, **other}]},
        proved={"gone": [{**NAME, "gone_at": GONE_AT}], "catalog_event": [LEFT]},
        is_catalog=True,
    )
    assert bench.kinds(results, "affected_customers") == [("catalog", "left_catalog", 1)]


def test_a_departed_product_counts_the_customers_of_all_its_skus() -> None:
    known = [
        {**key("0001", customer_id=ACME), **OPEN, **known_since(1)},
        {**key("0002", customer_id=ACME), **OPEN, **known_since(1)},
        {**key("0002", customer_id=BOND), **SHUT, **known_since(1)},
        {**key("0002", customer_id=BOND, product_id="DZH2"), **SHUT, **known_since(1)},
    ]
    results = bench.compare(
        *ALL,
        known={"inventory": known},
        proved={
            "gone": [{**NAME, "sku_id": s, "gone_at": GONE_AT} for s in ("0001", "0002")],
            "catalog_event": [{**LEFT, "sku_id": ""}],
        },
        is_catalog=True,
    )
    assert bench.kinds(results, "product_id", "sku_id", "affected_customers") == [
        ("catalog", "left_catalog", "DZH1", "", 2)
    ]
    verdicts = bench.rows_of(results["inventory"], "product_id", "verdict")
    assert verdicts == [("DZH1", "not_in_catalog")] * 3 + [("DZH2", "restricted")]


def test_a_later_answer_of_another_run_is_kept_after_the_departure() -> None:
    """P9."""
    results = leave([{**key(), **OPEN, **known_since(2, 9)}])
    assert results["inventory"].column("verdict").to_pylist() == ["unrestricted"]


def test_a_return_is_one_change_and_its_unrestricted_keys_have_none() -> None:
    results = come_back(leave(of_both(OPEN)), {ACME: OPEN, BOND: OPEN})
    assert bench.kinds(results, "sku_id", "affected_customers") == [
        ("catalog", "entered_catalog", "0001", 2)
    ]
    assert set(results["inventory"].column("verdict").to_pylist()) == {"unrestricted"}


def test_a_key_that_returns_restricted_has_its_own_change() -> None:
    results = come_back(leave(of_both(OPEN)), {ACME: SHUT, BOND: OPEN})
    assert bench.kinds(results, "customer_id", "verdict_after") == [
        ("catalog", "entered_catalog", "", ""),
        ("inventory", "entered_catalog", ACME, "restricted"),
    ]


def test_answers_one_night_after_the_return_are_treated_the_same() -> None:
    first = come_back(leave(of_both(OPEN)), {ACME: OPEN})
    results = come_back(first, {BOND: OPEN, ACME: OPEN}, night=4, event=False)
    assert results["change"].num_rows == 0
    results = come_back(first, {BOND: SHUT}, night=4, event=False)
    assert bench.kinds(results, "customer_id") == [("inventory", "entered_catalog", BOND)]


def test_a_key_not_in_catalog_before_the_departure_has_its_own_return() -> None:
    """The departure did not remove this key, so its first offer is a change of its own."""
    known = [{**key(customer_id=ACME), **ABSENT, **known_since(1)}]
    results = come_back(leave(known), {ACME: OPEN})
    assert bench.kinds(results, "customer_id") == [
        ("catalog", "entered_catalog", ""),
        ("inventory", "entered_catalog", ACME),
    ]


@pytest.mark.parametrize(
    ("elsewhere", "checked_at"),
    [
        ({}, GONE_AT),
        ({"country": "FR"}, at(1, 1)),
        ({"reservation_scope": ""}, at(1, 1)),
        ({"product_id": "DZH2"}, at(1, 1)),
        ({"sku_id": "0002"}, at(1, 1)),
    ],
)
def test_an_absence_concerns_only_that_sku_in_that_catalog(
    elsewhere: Row, checked_at: object
) -> None:
    """Even if it began at the same moment at which an answer left this key out."""
    results = bench.compare(
        *ALL,
        known={"inventory": [{**key(), **ABSENT, **known_since(1)}]},
        proved={
            "gone": [{**NAME, "gone_at": GONE_AT}],
            "catalog_event": [LEFT],
            "catalog_absence": [{**NAME, **elsewhere, "gone_at": at(1, 1)}],
        },
        is_catalog=True,
    )
    assert results["inventory"].column("checked_at").to_pylist() == [checked_at]


def test_a_key_unanswered_between_two_departures_has_no_own_change() -> None:
    first = come_back(leave(of_both(OPEN)), {})
    again = bench.compare(
        *(cell(c["customer_id"], c["country"], previous=3) for c in ALL),
        night=4,
        known=bench.carried(first),
        proved={
            "gone": [{**NAME, "gone_at": at(4, 3)}],
            "catalog_event": [{**LEFT, "after_at": at(4, 3)}],
            "catalog_absence": [{**NAME, "gone_at": GONE_AT}],
        },
        is_catalog=True,
    )
    since = bench.rows_of(again["inventory"], "verdict_since_at", "verdict_since_snapshot_id")
    assert set(since) == {(at(4, 3), bench.snapshot(4))}
    results = come_back(again, {ACME: OPEN}, night=5, event=False, gone_at=at(4, 3))
    assert results["change"].num_rows == 0


def stay_away(before: Mapping[str, pa.Table], *, proven_at: object = at(3)) -> dict[str, pa.Table]:
    """Return the third night, on which the catalog still lacks the SKU."""
    return bench.compare(
        *(cell(c["customer_id"], c["country"], previous=2) for c in ALL),
        night=3,
        known=bench.carried(before),
        proved={"still_gone": [{**NAME, "proven_at": proven_at}]},
        is_catalog=True,
    )


WHEN = ("verdict", "checked_at", "checked_snapshot_id", "verdict_since_at")


def test_a_listing_that_still_lacks_the_sku_confirms_its_keys() -> None:
    """P39."""
    results = stay_away(leave(of_both(SHUT)))
    found = set(bench.rows_of(results["inventory"], *WHEN))
    assert found == {("not_in_catalog", at(3), bench.snapshot(3), GONE_AT)}
    assert results["change"].num_rows == 0


def test_a_listing_that_is_not_due_confirms_as_of_when_it_was_answered() -> None:
    """P39: but the proof is no older than the departure."""
    results = stay_away(leave(of_both(SHUT)), proven_at=at(2))
    found = set(bench.rows_of(results["inventory"], *WHEN))
    assert found == {("not_in_catalog", GONE_AT, bench.snapshot(3), GONE_AT)}


def test_only_what_is_not_in_the_catalog_is_confirmed() -> None:
    known = bench.compare(*ALL, known={"inventory": of_both(SHUT)})
    found = set(bench.rows_of(stay_away(known)["inventory"], *WHEN))
    assert found == {("restricted", at(1, 1), bench.snapshot(1), at(1, 1))}


def test_a_key_that_was_answered_while_this_run_was_at_work_is_not_confirmed() -> None:
    """P9."""
    known = [{**key(), **ABSENT, **known_since(3, 9)}]
    results = bench.compare(
        *ALL,
        night=3,
        known={"inventory": known},
        proved={"still_gone": [{**NAME, "proven_at": at(3)}]},
    )
    assert bench.rows_of(results["inventory"], *WHEN) == [
        ("not_in_catalog", at(3, 9), bench.snapshot(3), at(3, 9))
    ]


@pytest.mark.parametrize(
    "other",
    [{"country": "FR"}, {"reservation_scope": "x"}, {"product_id": "DZH2"}, {"sku_id": "0002"}],
)
def test_a_listing_confirms_the_keys_of_its_skus_alone(other: Row) -> None:
    results = bench.compare(
        *ALL,
        known={"inventory": [{**key(), **ABSENT, **known_since(1)}]},
        proved={"still_gone": [{**NAME, **other, "proven_at": at(2)}]},
    )
    assert bench.rows_of(results["inventory"], *WHEN) == [
        ("not_in_catalog", at(1, 1), bench.snapshot(1), at(1, 1))
    ]


def test_confirmed_keys_come_back_as_those_that_left_the_night_before() -> None:
    """They are the catalog's own still: open keys have no change of their own, others have."""
    before = stay_away(leave(of_both(OPEN)))
    until = {"until_at": at(4)}
    results = come_back(before, {ACME: SHUT, BOND: OPEN}, night=4, absence=until)
    assert bench.kinds(results, "customer_id") == [
        ("catalog", "entered_catalog", ""),
        ("inventory", "entered_catalog", ACME),
    ]
    first = come_back(before, {ACME: OPEN}, night=4, absence=until)
    results = come_back(first, {BOND: OPEN}, night=5, event=False, absence=until)
    assert results["change"].num_rows == 0


def test_a_key_that_was_left_out_after_the_return_is_told_when_it_can_be_bought() -> None:
    """Its own answer, not the catalog, kept it away since."""
    until = {"until_at": at(4)}
    first = come_back(stay_away(leave(of_both(OPEN))), {ACME: ABSENT}, night=4, absence=until)
    results = come_back(first, {ACME: OPEN}, night=5, event=False, absence=until)
    assert bench.kinds(results, "customer_id") == [("inventory", "entered_catalog", ACME)]


@pytest.mark.parametrize("checked", ["answered", "failed"])
def test_an_item_left_out_of_a_reply_is_a_change_of_that_customer(checked: str) -> None:
    """The catalog lists the SKU and one reply leaves it out: `left_catalog` for that key (P1)."""
    answers = [{**key(), **ABSENT, "checked_at": at(2, 1)}] if checked == "answered" else []
    results = bench.compare(
        *ALL,
        known={"inventory": of_both(OPEN)},
        answers={"inventory": answers},
        checks=[settled(key(), checked)],
        is_catalog=True,
    )
    expected = [("inventory", "left_catalog", ACME)] if answers else []
    assert bench.kinds(results, "customer_id") == expected


def test_a_sku_that_no_longer_needs_a_check_is_dropped_without_an_event() -> None:
    results = bench.compare(
        *ALL, known={"inventory": of_both(SHUT)}, proved={"settled_sku": [NAME]}
    )
    assert results["inventory"].num_rows == results["change"].num_rows == 0


def test_a_sku_that_needs_another_context_begins_with_a_new_key() -> None:
    region = {"arm_region": "westeurope", "by_customer": True, "by_subscription": True}
    results = bench.compare(
        cell(ACME),
        known={"inventory": [{**key(), **OPEN, **known_since(1)}]},
        answers={"inventory": [{**key(region="westeurope"), **SHUT, "checked_at": at(2, 1)}]},
        proved={"settled_sku": [NAME], "asked_sku": [{**NAME, **region}]},
    )
    assert bench.rows_of(results["inventory"], "arm_region", "verdict") == [
        ("westeurope", "restricted")
    ]
    assert results["change"].num_rows == 0
