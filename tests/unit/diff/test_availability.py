"""How an answered list of availabilities changes the terms that were known."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest

from auditor.tables import SCHEMAS
from tests.builders import diff as bench
from tests.builders.diff import ACME, Row, at, cell, known_since, offered, term

COLUMNS = ("segment", "term_duration", "billing_cycle", "ordinal", "verdict")
BY_CUSTOMER = cell(country="")
SKU = {"customer_id": ACME, "product_id": "CFQ7", "sku_id": "0001"}


def check(outcome: str = "answered", *, sku_id: str = "0001", not_found: bool = False) -> Row:
    asked = {**SKU, "sku_id": sku_id, "segment": ""}
    return bench.settled(asked, outcome, not_found=not_found)


def known(*rows: Row) -> dict[str, list[Row]]:
    return {"availability": [{**known_since(1), **row} for row in rows]}


def answered(*rows: Row) -> dict[str, list[Row]]:
    return {"availability": [{"checked_at": at(2, 1), **row} for row in rows]}


def found(results: Mapping[str, pa.Table]) -> list[tuple[Any, ...]]:
    return bench.rows_of(results["availability"], *COLUMNS)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("purchasable", "not_purchasable", "no_longer_purchasable"),
        ("not_purchasable", "purchasable", "purchasable_again"),
        ("not_in_catalog", "purchasable", "entered_catalog"),
        ("not_in_catalog", "not_purchasable", "entered_catalog"),
        ("purchasable", "purchasable", None),
        ("not_purchasable", "not_purchasable", None),
    ],
)
def test_each_transition_has_its_kind(before: str, after: str, kind: str | None) -> None:
    results = bench.compare(
        BY_CUSTOMER,
        known=known({**term(), **offered(before)}),
        answers=answered({**term(), **offered(after)}),
        checks=[check()],
    )
    expected = [("availability", kind, before, after)] if kind else []
    assert bench.kinds(results, "verdict_before", "verdict_after") == expected
    [row] = results["availability"].to_pylist()
    assert row["verdict_since_at"] == (at(1, 1) if before == after else at(2, 1))


def test_a_404_makes_every_known_term_not_in_catalog() -> None:
    results = bench.compare(
        BY_CUSTOMER,
        known=known(
            {**term("monthly"), **offered()},
            {**term("annual"), **offered("not_purchasable")},
            {**term("triennial"), **offered("not_in_catalog")},
        ),
        checks=[check(not_found=True)],
    )
    assert [row[-1] for row in found(results)] == ["not_in_catalog"] * 3
    assert bench.kinds(results, "billing_cycle", "verdict_before") == [
        ("availability", "left_catalog", "annual", "not_purchasable"),
        ("availability", "left_catalog", "monthly", "purchasable"),
    ]
    assert set(results["availability"].column("checked_at").to_pylist()) == {at(2, 1)}


def test_a_404_without_known_terms_makes_one_row_with_empty_terms() -> None:
    results = bench.compare(BY_CUSTOMER, checks=[check(not_found=True)])
    assert found(results) == [("", "", "", 0, "not_in_catalog")]
    assert results["change"].num_rows == 0

    again = bench.compare(
        cell(country="", previous=2),
        night=3,
        known=bench.carried(results),
        checks=[check(not_found=True) | {"checked_at": at(3, 1)}],
    )
    assert found(again) == found(results)
    assert again["availability"].column("verdict_since_at").to_pylist() == [at(2, 1)]


def test_the_empty_row_is_dropped_without_an_event_when_terms_are_answered() -> None:
    first = bench.compare(BY_CUSTOMER, checks=[check(not_found=True)])
    results = bench.compare(
        cell(country="", previous=2),
        night=3,
        known=bench.carried(first),
        answers={"availability": [{**term(), **offered(), "checked_at": at(3, 1)}]},
        checks=[check() | {"checked_at": at(3, 1)}],
    )
    assert found(results) == [("commercial", "P1Y", "monthly", 0, "purchasable")]
    assert results["change"].num_rows == 0


@pytest.mark.parametrize(
    "other", [{"customer_id": "c-other"}, {"product_id": "CFQ8"}, {"sku_id": "0002"}]
)
def test_the_empty_row_stays_if_only_other_skus_are_answered(other: Row) -> None:
    """P2."""
    first = bench.compare(BY_CUSTOMER, checks=[check(not_found=True)])
    asked = bench.settled({**SKU, **other, "segment": ""}, night=3)
    results = bench.compare(
        cell(country="", previous=2),
        night=3,
        known=bench.carried(first),
        checks=[check("failed"), asked],
    )
    assert found(results) == found(first)


def test_a_term_missing_from_an_answered_list_is_not_in_catalog() -> None:
    results = bench.compare(
        BY_CUSTOMER,
        known=known({**term("monthly"), **offered()}, {**term("annual"), **offered()}),
        answers=answered({**term("monthly"), **offered()}),
        checks=[check()],
    )
    assert bench.kinds(results, "billing_cycle") == [("availability", "left_catalog", "annual")]


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_a_check_without_an_answer_carries_every_term(outcome: str) -> None:
    """P2."""
    row = {**term(), **offered()}
    results = bench.compare(BY_CUSTOMER, known=known(row), checks=[check(outcome)])
    assert results["change"].num_rows == 0
    assert results["availability"].drop_columns("snapshot_id").to_pylist() == [
        {**_filled(row), **known_since(1)}
    ]


def _filled(row: Row) -> Row:
    names = SCHEMAS["availability"].names
    kept = {n: row.get(n, "") for n in names if n != "snapshot_id"}
    return {**kept, "partner_tenant_id": bench.P}


def test_an_older_answer_does_not_replace_a_newer_published_one() -> None:
    """P9."""
    meanwhile = {**term(), **offered("not_purchasable"), **known_since(2, 5)}
    results = bench.compare(
        BY_CUSTOMER,
        known={"availability": [meanwhile]},
        answers=answered({**term(), **offered()}),
        checks=[check()],
    )
    assert found(results) == [("commercial", "P1Y", "monthly", 0, "not_purchasable")]
    assert results["change"].num_rows == 0


def test_this_runs_answer_counts_if_two_have_the_same_time() -> None:
    meanwhile = {**term(), **offered("not_purchasable"), **known_since(2, 1)}
    results = bench.compare(
        BY_CUSTOMER,
        known={"availability": [meanwhile]},
        answers=answered({**term(), **offered()}),
        checks=[check()],
        gaps=lambda t: t.append_column("gap_snapshots", pa.array([0] * t.num_rows, pa.int64())),
    )
    assert found(results) == [("commercial", "P1Y", "monthly", 0, "purchasable")]


def test_another_letter_case_is_the_same_term_and_the_known_one_stays() -> None:
    results = bench.compare(
        BY_CUSTOMER,
        known=known({**term("annual", segment="Commercial", duration="P1Y"), **offered()}),
        answers=answered({**term("Annual", segment="commercial", duration="p1y"), **offered()}),
        checks=[check()],
    )
    assert found(results) == [("Commercial", "P1Y", "annual", 0, "purchasable")]
    assert results["change"].num_rows == 0


def test_reissued_ids_and_a_lifecycle_are_stored_without_a_change() -> None:
    reissued = {"availability_id": "B", "catalog_item_id": "CFQ7:0001:B", "term_id": "t2"}
    reissued |= {"lifecycle": "beta"}
    results = bench.compare(
        BY_CUSTOMER,
        known=known({**term(), **offered()}),
        answers=answered({**term(), **offered(**reissued)}),
        checks=[check()],
    )
    assert results["change"].num_rows == 0
    [row] = results["availability"].to_pylist()
    assert {name: row[name] for name in reissued} == reissued


@pytest.mark.parametrize(
    "changed",
    [
        {"is_renewable": False},
        {"is_renewable": None},
        {"renew_to": "CFQ7:0002"},
        {"currency": "USD"},
    ],
)
def test_other_conditions_under_the_same_verdict_are_terms_changed(changed: Row) -> None:
    results = bench.compare(
        BY_CUSTOMER,
        known=known({**term(), **offered()}),
        answers=answered({**term(), **offered(**changed)}),
        checks=[check()],
    )
    assert bench.kinds(results, "verdict_before", "verdict_after") == [
        ("availability", "terms_changed", "purchasable", "purchasable")
    ]
    [name] = changed
    [row] = results["change"].to_pylist()
    detail = bench.json_of(row["detail"])
    assert detail["before"][name] != detail["after"][name]
    assert detail["after"][name] == changed[name]


def test_a_new_verdict_with_new_conditions_is_one_change() -> None:
    results = bench.compare(
        BY_CUSTOMER,
        known=known({**term(), **offered()}),
        answers=answered({**term(), **offered("not_purchasable", currency="USD")}),
        checks=[check()],
    )
    assert bench.kinds(results) == [("availability", "no_longer_purchasable")]


def test_a_licence_that_is_no_longer_held_is_dropped_without_an_event() -> None:
    results = bench.compare(
        BY_CUSTOMER,
        known=known({**term(), **offered()}),
        proved={"unheld": [SKU]},
    )
    assert found(results) == []
    assert results["change"].num_rows == 0


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_a_licence_no_longer_held_but_asked_is_carried(outcome: str) -> None:
    """The setting `availability` makes the run ask it; without an answer it keeps its verdict."""
    results = bench.compare(
        BY_CUSTOMER,
        known=known({**term(), **offered()}),
        checks=[check(outcome)],
        proved={"unheld": [SKU]},
    )
    assert found(results) == [("commercial", "P1Y", "monthly", 0, "purchasable")]


def test_an_ended_relationship_drops_the_terms_without_an_event() -> None:
    ended = {"customer_id": ACME, "country": "*", "azure_subscription_id": "*"}
    results = bench.compare(
        BY_CUSTOMER, known=known({**term(), **offered()}), proved={"ended": [ended]}
    )
    assert found(results) == []
    assert results["change"].num_rows == 0


# By country ---------------------------------------------------------------------------------

CATALOG = cell("", "DE")
OF_SKU = {"reservation_scope": "AzurePlan", "product_id": "DZH1", "sku_id": "0001"}
SEGMENTS = [{"segment": name} for name in ("", "commercial", "nonprofit")]


def priced(segment: str = "commercial") -> Row:
    return term(customer_id="", country="DE", scope="AzurePlan", product_id="DZH1", segment=segment)


def country_check(
    asked: str = "", outcome: str = "answered", *, night: int = 2, not_found: bool = False
) -> Row:
    of = {**OF_SKU, "customer_id": "", "country": "DE", "segment": ""}
    row = bench.settled(of, outcome, night=night, not_found=not_found)
    return row | {"segment": asked}


def test_a_list_for_other_segments_does_not_change_nonprofit_terms() -> None:
    results = bench.compare(
        CATALOG,
        known=known({**priced(), **offered()}, {**priced("nonprofit"), **offered()}),
        checks=[country_check(), country_check("nonprofit", "failed")],
        proved={"asked_segment": SEGMENTS},
    )
    assert bench.kinds(results, "segment", "affected_customers") == [
        ("availability", "left_catalog", "commercial", 0)
    ]


def test_terms_of_segments_no_longer_configured_are_carried() -> None:
    results = bench.compare(
        CATALOG,
        known=known({**priced("education"), **offered()}),
        checks=[country_check(), country_check("nonprofit")],
        proved={"asked_segment": SEGMENTS},
    )
    assert results["change"].num_rows == 0
    assert results["availability"].column("verdict").to_pylist() == ["purchasable"]


def test_prices_leave_and_return_with_their_sku_without_own_changes() -> None:
    """The departure and the return are one `catalog` change each, in the catalog's bucket."""
    gone_at = at(2, 3)
    name = {"country": "DE", **OF_SKU}
    gone = bench.compare(
        CATALOG,
        known=known({**priced("commercial"), **offered()}),
        proved={"gone": [{**name, "gone_at": gone_at}], "asked_segment": SEGMENTS},
    )
    assert gone["availability"].column("verdict").to_pylist() == ["not_in_catalog"]
    assert gone["change"].num_rows == 0

    back = bench.compare(
        cell("", "DE", previous=2),
        night=3,
        known=bench.carried(gone),
        answers={"availability": [{**priced("commercial"), **offered(), "checked_at": at(3, 1)}]},
        checks=[country_check(night=3)],
        proved={
            "catalog_absence": [{**name, "gone_at": gone_at}],
            "asked_segment": SEGMENTS,
        },
    )
    assert back["availability"].column("verdict").to_pylist() == ["purchasable"]
    assert back["change"].num_rows == 0


@pytest.mark.parametrize(
    "other",
    [{"country": "FR"}, {"reservation_scope": "other"}, {"product_id": "P9"}, {"sku_id": "9"}],
)
def test_a_departure_changes_only_the_prices_of_that_sku_in_that_catalog(other: Row) -> None:
    results = bench.compare(
        CATALOG,
        known=known({**priced("commercial"), **offered()}),
        proved={
            "gone": [{"country": "DE", **OF_SKU, **other, "gone_at": at(2, 3)}],
            "asked_segment": SEGMENTS,
        },
    )
    assert results["availability"].column("verdict").to_pylist() == ["purchasable"]


STILL = {"country": "DE", **OF_SKU, "proven_at": at(2)}


def test_a_listing_that_still_lacks_the_sku_confirms_its_prices() -> None:
    """P39."""
    results = bench.compare(
        cell("", "DE"),
        known=known({**priced(), **offered("not_in_catalog"), **known_since(1)}),
        proved={"still_gone": [STILL], "asked_segment": SEGMENTS},
    )
    assert bench.rows_of(results["availability"], *WHEN) == [(at(2), bench.snapshot(2), at(1, 1))]
    assert results["change"].num_rows == 0


WHEN = ("checked_at", "checked_snapshot_id", "verdict_since_at")


@pytest.mark.parametrize(
    ("country", "verdict", "checks", "is_confirmed"),
    [
        ("DE", "not_in_catalog", [], True),
        ("DE", "not_in_catalog", ["failed"], False),
        ("DE", "not_in_catalog", ["not_eligible"], True),
        ("DE", "purchasable", [], False),
        ("FR", "not_in_catalog", [], False),
    ],
)
def test_a_customers_terms_are_confirmed_by_the_catalog_of_its_country(
    country: str, verdict: str, checks: list[str], *, is_confirmed: bool
) -> None:
    """P39: unless they were asked about."""
    results = bench.compare(
        cell(ACME, ""),
        cell(ACME, country),
        known=known({**term(), **offered(verdict), **known_since(1)}),
        checks=[check(outcome) for outcome in checks],
        proved={"still_gone": [{**STILL, "product_id": "CFQ7", "reservation_scope": "x"}]},
    )
    when = (at(2), bench.snapshot(2)) if is_confirmed else (at(1, 1), bench.snapshot(1))
    assert bench.rows_of(results["availability"], *WHEN) == [(*when, at(1, 1))]


def test_prices_that_return_not_purchasable_are_a_change() -> None:
    gone_at = at(1, 1)
    results = bench.compare(
        CATALOG,
        known=known({**priced("commercial"), **offered("not_in_catalog"), "checked_at": gone_at}),
        answers=answered({**priced("commercial"), **offered("not_purchasable")}),
        checks=[country_check()],
        proved={
            "catalog_absence": [{"country": "DE", **OF_SKU, "gone_at": gone_at}],
            "asked_segment": SEGMENTS,
        },
    )
    assert bench.kinds(results, "verdict_after") == [
        ("availability", "entered_catalog", "not_purchasable")
    ]


def test_the_empty_row_of_a_nonprofit_404_is_dropped_on_an_answer() -> None:
    only = [{"segment": ""}, {"segment": "nonprofit"}]
    first = bench.compare(
        CATALOG,
        checks=[country_check("nonprofit", not_found=True)],
        proved={"asked_segment": only},
    )
    assert found(first) == [("", "", "", 0, "not_in_catalog")]
    answer = {**priced("nonprofit"), **offered(), "checked_at": at(3, 1)}
    results = bench.compare(
        cell("", "DE", previous=2),
        night=3,
        known=bench.carried(first),
        answers={"availability": [answer]},
        checks=[country_check("nonprofit", night=3)],
        proved={"asked_segment": only},
    )
    assert found(results) == [("nonprofit", "P1Y", "monthly", 0, "purchasable")]


def test_a_404_for_nonprofit_leaves_no_empty_row_beside_other_prices() -> None:
    results = bench.compare(
        CATALOG,
        answers=answered({**priced("commercial"), **offered()}),
        checks=[country_check(), country_check("nonprofit", not_found=True)],
        proved={"asked_segment": SEGMENTS},
    )
    assert found(results) == [("commercial", "P1Y", "monthly", 0, "purchasable")]
