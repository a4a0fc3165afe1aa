"""The views over time give the rows that were worked out by hand."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import UsageError
from auditor.store.folder.store import FolderStore
from auditor.store.history import Selection
from tests.builders.store_lake import (
    ACME,
    BOND,
    P,
    Q,
    at,
    client,
    cover,
    listed,
    make,
    publish,
    stock,
)

PRODUCT = "DZH318Z0BQ3Q"
CODE = "NotAvailableForSubscription"


def change(name: str, kind: str, sku_id: str, when: datetime, **more: object) -> dict[str, Any]:
    """Return a change of ACME's inventory."""
    before, _, after = {
        "newly_restricted": "unrestricted>restricted",
        "restriction_lifted": "restricted>unrestricted",
        "restriction_changed": "restricted>restricted",
        "left_catalog": "unrestricted>not_in_catalog",
    }[kind].partition(">")
    return {
        "event_id": name,
        "business_date": when.date(),
        "subject": "inventory",
        "kind": kind,
        "customer_id": ACME,
        "country": "DE",
        "azure_subscription_id": "sub-1",
        "reservation_scope": "AzurePlan",
        "product_id": PRODUCT,
        "sku_id": sku_id,
        "verdict_before": before,
        "verdict_after": after,
        "reason_codes_before": CODE if before == "restricted" else "",
        "reason_codes_after": CODE if after == "restricted" else "",
        "detail": "{}",
        "after_at": when,
        "gap_snapshots": 0,
        "suspect": False,
        "affected_customers": 1,
        **more,
    }


def since(when: datetime) -> str:
    return f'{{"verdict_since_at":"{when:%Y-%m-%dT%H:%M:%S.%fZ}"}}'


def rows(store: FolderStore, name: str, *columns: str, **asked: str) -> list[tuple[Any, ...]]:
    found = store.arrow(name, **asked).select(columns).to_pylist()
    return sorted(tuple(row.values()) for row in found)


def base(**more: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return {
        "coverage": [cover(ACME), cover(ACME, "DE"), cover("", "DE")],
        "customer": [client(ACME, "Acme")],
        "sku": [listed("1"), listed("2"), listed("3")],
        **more,
    }


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return make(tmp_path)


def test_newly_restricted_begins_after_the_previous_full_snapshot(store: FolderStore) -> None:
    for number, (kind, sku_id) in enumerate(
        [("full", "1"), ("partial", "2"), ("full", "3"), ("partial", "1"), ("partial", "2")], 1
    ):
        event = change(f"e{number}", "newly_restricted", sku_id, at(number))
        publish(store, f"s{number}", at(number), base(change=[event]), kind=kind)
    assert rows(store, "newly_restricted", "event_id", "company_name", "region") == [
        (name, "Acme", "japanwest") for name in ("e2", "e3", "e4", "e5")
    ]


def test_newly_restricted_omits_suspect_changes_and_other_kinds(store: FolderStore) -> None:
    events = [
        change("e1", "newly_restricted", "1", at(1)),
        change("e2", "newly_restricted", "2", at(1), suspect=True),
        change("e3", "restriction_lifted", "3", at(1)),
    ]
    publish(store, "s1", at(1), base(change=events))
    assert rows(store, "newly_restricted", "event_id") == [("e1",)]


def test_each_partner_has_its_own_previous_full_snapshot(store: FolderStore) -> None:
    of_p = {"change": [change("e1", "newly_restricted", "1", at(1))]}
    publish(store, "s1", at(1), base(**of_p))
    for number in (2, 3):
        publish(store, f"q{number}", at(number), base(), partner_tenant_id=Q)
    assert rows(store, "newly_restricted", "event_id") == [("e1",)]


INTERVALS = ("verdict", "reason_codes", "valid_from", "valid_to")


def test_a_key_that_never_changed_is_one_open_interval(store: FolderStore) -> None:
    publish(store, "s1", at(1), base(inventory=[stock(ACME, "1", "restricted", at(1))]))
    assert rows(store, "restriction_timeline", *INTERVALS) == [("restricted", CODE, at(1), None)]


def test_each_change_ends_one_interval_and_begins_the_next(store: FolderStore) -> None:
    events = [
        change("e1", "newly_restricted", "1", at(3), detail=since(at(1))),
        change("e2", "restriction_changed", "1", at(5), detail=since(at(3))),
        change("e3", "restriction_lifted", "1", at(7), detail=since(at(3))),
        change("e4", "newly_restricted", "1", at(6), detail=since(at(1)), suspect=True),
    ]
    events[1]["reason_codes_after"] = events[2]["reason_codes_before"] = "Other"
    key = stock(ACME, "1", "unrestricted", at(8), verdict_since_at=at(7))
    publish(store, "s1", at(8), base(change=events, inventory=[key]))
    assert sorted(rows(store, "restriction_timeline", *INTERVALS), key=lambda row: row[2]) == [
        ("unrestricted", "", at(1), at(3)),
        ("restricted", CODE, at(3), at(5)),
        ("restricted", "Other", at(5), at(7)),
        ("unrestricted", "", at(7), None),
    ]
    row = store.arrow("restriction_timeline").to_pylist()[0]
    assert row["inventory_key"] == f"{P}|{ACME}|DE|sub-1||AzurePlan|{PRODUCT}:1"
    assert row["sku_title"] == "D1 one year"


def test_a_catalog_change_ends_the_intervals_of_its_keys(store: FolderStore) -> None:
    """In schema version 1: later changes show the return by the start in `detail`."""
    gone = change("c1", "left_catalog", "1", at(4), subject="catalog", customer_id="")
    gone["azure_subscription_id"] = ""
    events = [
        change("e1", "newly_restricted", "1", at(2), detail=since(at(1))),
        gone,
        change("e2", "newly_restricted", "1", at(8), detail=since(at(6))),
        change("e3", "newly_restricted", "2", at(8), detail=since(at(6))),
    ]
    keys = [
        stock(ACME, "1", "restricted", at(8)),
        stock(ACME, "2", "restricted", at(8)),
    ]
    publish(store, "s1", at(8), base(change=events, inventory=keys), schema_version=1)
    found = rows(store, "restriction_timeline", *INTERVALS, sku="1")
    assert sorted(found, key=lambda row: row[2]) == [
        ("unrestricted", "", at(1), at(2)),
        ("restricted", CODE, at(2), at(4)),
        ("not_in_catalog", "", at(4), at(6)),
        ("unrestricted", "", at(6), at(8)),
        ("restricted", CODE, at(8), None),
    ]
    assert len(rows(store, "restriction_timeline", *INTERVALS, sku="2")) == 2


def test_a_key_that_an_older_release_dropped_has_no_open_interval(store: FolderStore) -> None:
    event = change("e1", "newly_restricted", "1", at(2), detail=since(at(1)))
    key = stock(ACME, "1", "restricted", at(2))
    publish(store, "s1", at(2), base(change=[event], inventory=[key]))
    publish(store, "s2", at(3), base())
    assert rows(store, "restriction_timeline", *INTERVALS, "ended_by") == [
        ("restricted", CODE, at(2), at(3, 10), "forgotten"),
        ("unrestricted", "", at(1), at(2), "changed"),
    ]


def test_the_interval_of_a_key_ends_when_its_subscription_leaves(store: FolderStore) -> None:
    event = change("e1", "newly_restricted", "1", at(2), detail=since(at(1)))
    publish(store, "s1", at(2), base(change=[event]))
    left = {
        "customer_id": ACME,
        "azure_subscription_id": "sub-1",
        "what": "left_subscription",
        "since_at": at(2, 5),
    }
    publish(store, "s2", at(3), base(remembered=[left]))
    found = rows(store, "restriction_timeline", *INTERVALS, "ended_by")
    assert ("restricted", CODE, at(2), at(2, 5), "left") in found


def test_endings_cut_the_time_of_a_key_and_keep_its_past(store: FolderStore) -> None:
    """It left the catalog and came back, then its subscription left, and came back restricted."""

    def ending(ended_by: str, begun: datetime, ended: datetime, verdict: str) -> dict[str, Any]:
        row = stock(ACME, "1", verdict, begun, ended_at=ended, ended_by=ended_by)
        del row["region"], row["checked_at"]
        return row

    event = change("e1", "newly_restricted", "1", at(2), detail=since(at(1)))
    publish(store, "s2", at(2), base(change=[event]))
    endings = [
        ending("left_catalog", at(2), at(3), "restricted"),
        ending("changed", at(3), at(4), "not_in_catalog"),
        ending("left", at(4), at(5), "unrestricted"),
    ]
    for day, row in enumerate(endings, 3):
        publish(store, f"s{day}", at(day), base(ending=[row]))
    publish(store, "s9", at(9), base(inventory=[stock(ACME, "1", "restricted", at(9))]))

    found = rows(store, "restriction_timeline", *INTERVALS, "ended_by")
    assert sorted(found, key=lambda row: row[2]) == [
        ("unrestricted", "", at(1), at(2), "changed"),
        ("restricted", CODE, at(2), at(3), "left_catalog"),
        ("not_in_catalog", "", at(3), at(4), "changed"),
        ("unrestricted", "", at(4), at(5), "left"),
        ("restricted", CODE, at(9), None, ""),
    ]


def test_snapshot_health_shows_the_unknown_share_and_the_cells(store: FolderStore) -> None:
    counts: dict[str, Any] = {"checks_answered": 6, "checks_failed": 1, "checks_skipped": 1}
    cells = [cover(ACME, "DE", status="partly"), cover(BOND, "DE", status="left"), cover("", "DE")]
    suspect = change("e1", "newly_restricted", "1", at(1), suspect=True)
    rows_1 = {"coverage": cells, "change": [suspect]}
    publish(store, "s1", at(1), rows_1, status="incomplete", **counts)
    publish(store, "s2", at(2), base(), kind="partial")
    columns = ("snapshot_id", "unknown_share", "seconds", "cells", "cells_partly", "cells_left")
    assert rows(store, "snapshot_health", *columns) == [
        ("s1", 0.25, 600.0, 3, 1, 1),
        ("s2", None, 600.0, 3, 0, 0),
    ]
    marks = ("snapshot_id", "is_newest", "is_newest_full", "suspect_changes", "changes")
    assert rows(store, "snapshot_health", *marks) == [
        ("s1", False, True, 1, 1),
        ("s2", True, False, 0, 0),
    ]


def test_dim_date_has_every_day(store: FolderStore) -> None:
    assert store.arrow("dim_date").num_rows == 0
    publish(store, "s1", at(1), base())
    publish(store, "s4", at(4), base())
    assert rows(store, "dim_date", "date", "iso_weekday", "is_weekend") == [
        (date(2026, 11, 1), 7, True),
        (date(2026, 11, 2), 1, False),
        (date(2026, 11, 3), 2, False),
        (date(2026, 11, 4), 3, False),
    ]


def test_fact_restriction_day_counts_each_key_once(store: FolderStore) -> None:
    """Day 1 counts its second snapshot; day 2 has no complete one; day 3 carries some answers."""
    outcome = {
        "kind": "inventory",
        "customer_id": ACME,
        "country": "DE",
        "azure_subscription_id": "sub-1",
        "reservation_scope": "AzurePlan",
        "product_id": PRODUCT,
        "outcome": "failed",
    }
    first = [stock(ACME, "1", "unrestricted", at(1))]
    publish(store, "s1", at(1), base(inventory=first))
    second = [
        stock(ACME, "1", "restricted", at(1, 30)),
        stock(ACME, "2", "unrestricted", at(1, 30)),
        stock(ACME, "3", "not_in_catalog", at(1, 30)),
        stock(ACME, "4", "restricted", at(1, 30), region="westeurope", reason_codes="A;B"),
    ]
    publish(store, "s2", at(1, 20), base(inventory=second))
    publish(store, "s3", at(2), base(inventory=second), status="incomplete")
    publish(store, "s4", at(2, 20), base(inventory=second), kind="partial")
    third = [
        stock(ACME, "1", "restricted", at(1, 30)),
        stock(ACME, "2", "unrestricted", at(3, 30)),
    ]
    checks = [
        {"check_id": "1", **outcome, "sku_id": "1"},
        {"check_id": "2", **outcome, "sku_id": ""},
        {"check_id": "3", **outcome, "sku_id": "9", "arm_region": "westeurope"},
        {"check_id": "4", **outcome, "sku_id": "9", "outcome": "not_eligible"},
        {"check_id": "5", **outcome, "sku_id": "9", "kind": "availability"},
    ]
    publish(store, "s5", at(3), base(inventory=third, check_outcome=checks))
    counts = ("restricted", "unrestricted", "not_in_catalog", "unknown")
    columns = ("date", "country", "region", "family", "reason", *counts)
    assert rows(store, "fact_restriction_day", *columns) == [
        (date(2026, 11, 1), "DE", "japanwest", "Dv3", "", 0, 1, 1, 0),
        (date(2026, 11, 1), "DE", "japanwest", "Dv3", CODE, 1, 0, 0, 0),
        (date(2026, 11, 1), "DE", "westeurope", "", "A;B", 1, 0, 0, 0),
        (date(2026, 11, 3), "DE", "japanwest", "Dv3", "", 0, 1, 0, 1),
        (date(2026, 11, 3), "DE", "westeurope", "", "", 0, 0, 0, 1),
    ]


def test_changes_come_from_the_snapshots_since_each_previous_full_one(store: FolderStore) -> None:
    events = [
        change("e2", "newly_restricted", "2", at(2)),
        change("e3", "restriction_lifted", "1", at(2)),
    ]
    publish(store, "s1", at(1), base(change=[change("e1", "newly_restricted", "1", at(1))]))
    publish(store, "s2", at(2), base(change=events))
    of_q = [change("e4", "newly_restricted", "1", at(2))]
    publish(store, "q1", at(2), base(change=of_q), partner_tenant_id=Q)

    def found(**asked: Any) -> list[str]:  # the arguments of changes()
        ids: list[str] = store.changes(**asked).column("event_id").to_pylist()
        return sorted(ids)

    assert found() == ["e2", "e3", "e4"]
    assert found(snapshot="s1") == ["e1"]
    assert found(kinds=("restriction_lifted",)) == ["e3"]
    assert found(customer="Acme") == ["e2", "e3", "e4"]
    row = store.changes(snapshot="s1").to_pylist()[0]
    assert (row["company_name"], row["sku_title"]) == ("Acme", "D1 one year")
    assert row["region"] == "japanwest"


def test_changes_are_selected_by_each_condition(store: FolderStore) -> None:
    licence = {"subject": "availability", "country": "", "azure_subscription_id": ""}
    of_acme = [
        change("e1", "newly_restricted", "1", at(1)),
        change("e2", "newly_restricted", "1", at(1), arm_region="westeurope"),
        change("e3", "left_catalog", "licence", at(1), **licence),
    ]
    first = base(change=of_acme, customer=[client(ACME, "Acme", country="FR")])
    publish(store, "s1", at(1), first)
    of_q = change("e4", "newly_restricted", "2", at(3), azure_subscription_id="sub-9")
    publish(store, "q1", at(3), base(change=[of_q]), partner_tenant_id=Q, partner_name="fabrikam")

    def found(**selection: Any) -> list[str]:  # the arguments of changes()
        ids: list[str] = store.changes(**selection).column("event_id").to_pylist()
        return sorted(ids)

    assert found(partner="fabrikam") == found(partner=Q) == ["e4"]
    assert found(region="japanwest") == ["e1", "e4"]
    assert found(region="japanwest", partner="contoso-eu") == ["e1"]
    assert found(country="DE") == ["e1", "e2", "e4"]
    assert found(country="FR") == ["e3"]
    assert found(sku="DZH318Z0BQ3Q:2") == found(subscription="sub-9") == ["e4"]
    assert found(since=at(2)) == found(since=date(2026, 11, 3)) == ["e4"]
    assert found(since=date(2026, 11, 1), kinds=["newly_restricted"]) == ["e1", "e2", "e4"]
    assert found(region="japanwest", kinds=["left_catalog"]) == []


@pytest.mark.parametrize(
    "selection",
    [
        {"partner": "contoso-us"},
        {"country": "JP"},
        {"region": "japaneast"},
        {"sku": "DZH318Z0BQ3Q:0099"},
        {"subscription": "sub-8"},
    ],
)
def test_a_condition_on_something_unknown_is_refused(
    store: FolderStore, selection: Selection
) -> None:
    publish(store, "s1", at(1), base(change=[change("e1", "newly_restricted", "1", at(1))]))
    with pytest.raises(UsageError, match=str(*selection.values())):
        store.changes(**selection)


def test_causes_group_changes_with_the_same_cause(store: FolderStore) -> None:
    events = [
        change(f"{sku}{who}", "newly_restricted", sku, at(1), customer_id=who)
        for sku in ("1", "2")
        for who in (ACME, BOND)
    ]
    catalogs = {"subject": "catalog", "customer_id": "", "azure_subscription_id": ""}
    gone = change("c", "left_catalog", "3", at(1), **catalogs)
    publish(store, "s1", at(1), base(change=[*events, {**gone, "affected_customers": 37}]))
    found = store.causes().to_pylist()
    assert [row["cause"] for row in found] == [
        f"{CODE} in japanwest: 2 SKUs of Virtual Machines Dv3, 2 customers, 1 subscription",
        "in japanwest: 1 SKU (D3 one year), 37 customers",
    ]
    assert (found[0]["keys"], found[0]["partners"], found[0]["reason_codes"]) == (4, 1, CODE)
    assert found[0]["product_title"] == "Virtual Machines Dv3"
