"""A snapshot contains every known row of the cells that it covers."""

from typing import Any

import pyarrow as pa
import pytest

from tests.builders import diff as bench
from tests.builders.diff import ACME, BOND, OPEN, SHUT, Row, at, cell, key, known_since, settled

REASON = {
    "ordinal": 0,
    "reason_code": "NotAvailableForSubscription",
    "description": "d",
    "type": "Location",
    "value": "westeurope",
    "properties": "",
}
OTHER_REASON = {**REASON, "reason_code": "QuotaId"}


def restrictions(results: dict[str, pa.Table]) -> list[tuple[str, ...]]:
    return bench.rows_of(results["restriction"], "sku_id", "reason_code", "value")


def test_the_restrictions_of_an_answer_replace_the_known_ones() -> None:
    results = bench.compare(
        cell(),
        known={
            "inventory": [{**key(), **SHUT, **known_since(1)}],
            "restriction": [{**key(), **REASON}, {**key(), **REASON, "ordinal": 1, "value": "x"}],
        },
        answers={
            "inventory": [{**key(), **SHUT, "reason_codes": "QuotaId", "checked_at": at(2, 1)}],
            "restriction": [{**key(), **OTHER_REASON}],
        },
    )
    assert restrictions(results) == [("0001", "QuotaId", "westeurope")]


def test_the_restrictions_of_an_unanswered_key_are_carried() -> None:
    results = bench.compare(
        cell(),
        known={
            "inventory": [{**key(), **SHUT, **known_since(1)}],
            "restriction": [{**key(), **REASON}],
        },
        checks=[settled(key(), "failed")],
    )
    assert restrictions(results) == [("0001", "NotAvailableForSubscription", "westeurope")]


def test_the_restrictions_of_an_older_answer_are_not_used() -> None:
    """P9."""
    results = bench.compare(
        cell(),
        known={
            "inventory": [{**key(), **SHUT, **known_since(2, 5)}],
            "restriction": [{**key(), **REASON}],
        },
        answers={
            "inventory": [{**key(), **SHUT, "checked_at": at(2, 1)}],
            "restriction": [{**key(), **OTHER_REASON}],
        },
    )
    assert restrictions(results) == [("0001", "NotAvailableForSubscription", "westeurope")]


@pytest.mark.parametrize("reason", ["lifted", "gone", "dropped"])
def test_a_key_that_is_no_longer_restricted_has_no_restrictions(reason: str) -> None:
    name = {n: key()[n] for n in ("country", "reservation_scope", "product_id", "sku_id")}
    proved: dict[str, list[Row]] = {
        "lifted": {},
        "gone": {"gone": [{**name, "gone_at": at(2)}]},
        "dropped": {"settled_sku": [name]},
    }[reason]
    lifted = {**key(), **OPEN, "checked_at": at(2, 1)}
    results = bench.compare(
        cell(),
        known={
            "inventory": [{**key(), **SHUT, **known_since(1)}],
            "restriction": [{**key(), **REASON}],
        },
        answers={"inventory": [lifted] if reason == "lifted" else []},
        proved=proved,
    )
    assert restrictions(results) == []


def test_cells_that_are_not_covered_are_not_in_the_snapshot() -> None:
    """P5: a run changes only keys in its scope."""
    known = [{**key(customer_id=c), **SHUT, **known_since(1)} for c in (ACME, BOND)]
    results = bench.compare(cell(ACME), known={"inventory": known})
    assert bench.rows_of(results["inventory"], "customer_id") == [(ACME,)]


def test_a_cell_that_left_has_no_rows_and_no_changes() -> None:
    """P5: a removed customer is a `coverage` row, not `left_catalog`."""
    results = bench.compare(
        cell(status="left"),
        cell(country="", status="left"),
        known={
            "inventory": [{**key(), **SHUT, **known_since(1)}],
            "restriction": [{**key(), **REASON}],
            "customer": [{"customer_id": ACME, "company_name": "Acme"}],
            "remembered": [{"customer_id": ACME, "what": "unlisted", "since_at": at(1)}],
        },
    )
    assert [name for name, table in results.items() if table.num_rows] == ["ending"]


@pytest.mark.parametrize(
    "ended",
    [
        {"country": "*", "azure_subscription_id": "*"},
        {"country": "DE", "azure_subscription_id": "*"},
        {"country": "*", "azure_subscription_id": bench.AZURE},
    ],
)
def test_ended_keys_are_dropped_unless_another_run_published_them_since(ended: Row) -> None:
    known = [
        {**key("0001"), **SHUT, **known_since(1)},
        {**key("0002"), **SHUT, **known_since(2, 5)},
        {**key("0003", subscription=bench.OTHER, country="FR"), **SHUT, **known_since(1)},
    ]
    results = bench.compare(
        cell(),
        cell(country="FR"),
        known={"inventory": known},
        proved={"ended": [{"customer_id": ACME, **ended}]},
    )
    assert results["change"].num_rows == 0
    everywhere = ended["country"] == ended["azure_subscription_id"] == "*"
    kept = {sku for (sku,) in bench.rows_of(results["inventory"], "sku_id")}
    assert kept == ({"0002"} if everywhere else {"0002", "0003"})


def endings(results: dict[str, pa.Table]) -> list[tuple[Any, ...]]:  # Any: cells of a table
    return bench.rows_of(results["ending"], "sku_id", "verdict", "ended_at", "ended_by")


@pytest.mark.parametrize("why", ["left", "not_eligible"])
def test_a_verdict_that_is_dropped_is_noted_with_why_and_since_when_it_lasted(why: str) -> None:
    ended = {"customer_id": ACME, "country": "*", "azure_subscription_id": bench.AZURE}
    results = bench.compare(
        cell(),
        known={"inventory": [{**key(), **SHUT, **known_since(1)}]},
        proved={"ended": [{**ended, "ended_by": why}]},
    )
    (row,) = results["ending"].to_pylist()
    assert (row["snapshot_id"], row["ended_at"], row["ended_by"]) == ("s002", at(2), why)
    assert row["reason_codes"] == SHUT["reason_codes"]
    assert row["verdict_since_at"] == at(1, 1)
    assert row["verdict_since_snapshot_id"] == "s001"


def test_a_sku_that_asks_for_no_check_any_more_ends_as_not_asked() -> None:
    sku = {name: key()[name] for name in ("country", "reservation_scope", "product_id", "sku_id")}
    results = bench.compare(
        cell(),
        known={"inventory": [{**key(), **OPEN, **known_since(1)}]},
        proved={"settled_sku": [sku]},
    )
    assert endings(results) == [("0001", "unrestricted", at(2), "not_asked")]


def test_the_keys_of_a_cell_that_left_end_no_earlier_than_their_last_answer() -> None:
    known = [
        {**key("0001"), **SHUT, **known_since(1)},
        {**key("0002"), **OPEN, **known_since(2, 5)},
    ]
    results = bench.compare(cell(status="left"), known={"inventory": known})
    assert endings(results) == [
        ("0001", "restricted", at(2), "left"),
        ("0002", "unrestricted", at(2, 5), "left"),
    ]


def test_what_the_catalog_alone_decides_ends_a_verdict_once() -> None:
    sku = {name: key()[name] for name in ("country", "reservation_scope", "product_id", "sku_id")}
    known = [{**key(), **SHUT, **known_since(1)}]
    gone = bench.compare(
        cell(),
        known={"inventory": known},
        proved={"gone": [{**sku, "gone_at": at(2, 3)}]},
    )
    assert endings(gone) == [("0001", "restricted", at(2, 3), "left_catalog")]
    absence = {"catalog_absence": [{**sku, "gone_at": at(2, 3)}]}
    still = bench.compare(
        cell(),
        night=3,
        known=bench.carried(gone),
        proved={"gone": [{**sku, "gone_at": at(3, 3)}], **absence},
    )
    assert endings(still) == []
    absence = {"catalog_absence": [{**sku, "gone_at": at(3, 3)}]}
    answer = {**key(), **OPEN, "checked_at": at(4, 1)}
    back = bench.compare(
        cell(),
        night=4,
        known=bench.carried(still),
        answers={"inventory": [answer]},
        proved=absence,
    )
    assert back["change"].num_rows == 0
    assert endings(back) == [("0001", "not_in_catalog", at(4, 1), "changed")]


def test_a_verdict_whose_end_is_a_change_has_no_ending() -> None:
    """Nor has one that only letter case or a suspect answer would end."""
    known = [
        {**key("0001"), **SHUT, **known_since(1)},
        {**key("0002"), **SHUT, **known_since(1)},
        {**key("0003"), **SHUT, **known_since(1)},
    ]
    loud = {**SHUT, "reason_codes": str(SHUT["reason_codes"]).upper()}
    results = bench.compare(
        cell(),
        known={"inventory": known},
        answers={
            "inventory": [
                {**key("0001"), **OPEN, "checked_at": at(2, 1)},
                {**key("0002"), **loud, "checked_at": at(2, 1)},
                {**key("0003"), **OPEN, "checked_at": at(2, 1)},
            ]
        },
        suspects={"inventory": [key("0003")]},
    )
    assert endings(results) == []


# Describing relations -----------------------------------------------------------------------


@pytest.mark.parametrize("is_listed", [True, False])
@pytest.mark.parametrize("relation", ["customer", "azure_subscription", "commerce_subscription"])
def test_describing_rows_are_the_listed_ones_or_else_the_known_ones(
    relation: str, *, is_listed: bool
) -> None:
    column = {"customer": "company_name", "azure_subscription": "friendly_name"}.get(
        relation, "offer_name"
    )
    results = bench.compare(
        cell(country="", is_listed=is_listed),
        known={relation: [{"customer_id": c, column: "before"} for c in (ACME, BOND)]},
        found={relation: [{"customer_id": ACME, column: "now"}]},
    )
    rows = bench.rows_of(results[relation], "customer_id", column, "snapshot_id")
    assert rows == [(ACME, "now" if is_listed else "before", bench.snapshot(2))]


def test_a_customer_listed_without_licences_has_no_licence_rows() -> None:
    results = bench.compare(
        cell(country=""),
        known={"commerce_subscription": [{"customer_id": ACME, "offer_name": "before"}]},
    )
    assert results["commerce_subscription"].num_rows == 0


@pytest.mark.parametrize("is_listed", [True, False])
def test_the_catalog_is_the_listed_one_or_else_the_known_one_without_gone_skus(
    *, is_listed: bool
) -> None:
    def sku(sku_id: str, title: str) -> Row:
        name = {"country": "DE", "reservation_scope": "AzurePlan", "product_id": "DZH1"}
        return {**name, "sku_id": sku_id, "title": title}

    gone = {n: v for n, v in sku("0002", "").items() if n != "title"}
    results = bench.compare(
        cell("", "DE", is_listed=is_listed),
        known={"sku": [sku("0001", "before"), sku("0002", "before")]},
        found={"sku": [sku("0001", "now"), sku("0003", "now")]},
        proved={"gone": [{**gone, "gone_at": at(2)}]},
        is_catalog=True,
    )
    expected = [("0001", "now"), ("0003", "now")] if is_listed else [("0001", "before")]
    assert bench.rows_of(results["sku"], "sku_id", "title") == expected


# Remembered ---------------------------------------------------------------------------------


def test_a_remembered_row_stays_until_it_is_forgotten() -> None:
    def remembered(name: str, minute: float = 0) -> Row:
        return {
            "customer_id": ACME,
            "azure_subscription_id": name,
            "what": "left_subscription",
            "detail": "{}",
            "since_at": at(1, minute),
        }

    results = bench.compare(
        cell(country=""),
        known={"remembered": [remembered("a1"), remembered("a2"), remembered("a3")]},
        proved={
            "remember": [remembered("a3", 9), remembered("a4", 9)],
            "forget": [remembered("a2")],
        },
    )
    assert bench.rows_of(results["remembered"], "azure_subscription_id", "since_at") == [
        ("a1", at(1)),
        ("a3", at(1, 9)),
        ("a4", at(1, 9)),
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"customer_id": ""},
        {"azure_subscription_id": "a2"},
        {"reservation_scope": "other"},
        {"product_id": "P2"},
        {"sku_id": "0002"},
        {"what": "returned"},
    ],
)
def test_only_the_named_remembered_row_is_forgotten(other: Row) -> None:
    remembered = {
        "customer_id": ACME,
        "azure_subscription_id": "a1",
        "reservation_scope": "AzurePlan",
        "product_id": "P1",
        "sku_id": "0001",
        "what": "gone",
        "detail": "{}",
        "since_at": at(1),
    }

    def left(forgotten: Row) -> int:
        results = bench.compare(
            cell(country=""),
            known={"remembered": [remembered]},
            proved={"forget": [{**remembered, **forgotten}]},
        )
        return int(results["remembered"].num_rows)

    assert left({}) == 0
    assert left(other) == 1


@pytest.mark.parametrize("is_listed", [True, False])
@pytest.mark.parametrize("what", ["listed", "country_read"])
def test_the_time_of_a_listing_stays_with_its_rows(is_listed: bool, what: str) -> None:
    """P9: if two runs overlap, the rows of one stay together with the time it read them."""
    before = {"customer_id": ACME, "what": what, "detail": "before", "since_at": at(1)}
    now = {"customer_id": ACME, "what": what, "detail": "now", "since_at": at(2)}
    results = bench.compare(
        cell(country="", is_listed=is_listed),
        known={"remembered": [before]},
        proved={"remember": [now]},
    )
    expected = ("now", at(2)) if is_listed else ("before", at(1))
    assert bench.rows_of(results["remembered"], "detail", "since_at") == [expected]


@pytest.mark.parametrize(
    ("outcome", "status", "is_kept"),
    [
        ("failed", 400, False),
        ("failed", 404, False),
        ("failed", 403, False),
        ("failed", 503, True),
        ("failed", 429, True),
        ("failed", 0, True),
        ("answered", 404, True),
    ],
)
def test_a_refused_check_makes_its_customers_listing_due(
    outcome: str, status: int, is_kept: bool
) -> None:
    """The check asked about a subscription or licence that may no longer exist."""
    listed = {"customer_id": ACME, "what": "listed", "detail": "{}", "since_at": at(1)}
    others = [
        {**listed, "customer_id": BOND},
        {**listed, "what": "country_read"},
        {**listed, "customer_id": "", "country": "DE", "product_id": "DZH1"},
    ]
    check = {"kind": "inventory", "customer_id": ACME, "country": "DE", "outcome": outcome}
    results = bench.compare(
        cell(country=""),
        cell(),
        cell(customer_id=BOND, country=""),
        cell(customer_id=""),
        checks=[{**check, "http_status": status}],
        known={"remembered": [listed, *others]},
    )
    assert results["remembered"].num_rows == len(others) + is_kept


def test_no_row_is_remembered_for_a_cell_that_is_not_covered() -> None:
    unlisted = {"customer_id": BOND, "what": "unlisted", "since_at": at(1)}
    results = bench.compare(
        cell(country=""), known={"remembered": [unlisted]}, proved={"remember": [unlisted]}
    )
    assert results["remembered"].num_rows == 0
