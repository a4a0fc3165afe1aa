"""The named changes, subscriptions and dimensions for BI tools, over the lake of two nights."""

from pathlib import Path

import pyarrow as pa
import pytest

from auditor import reasons
from auditor.store.folder.store import FolderStore
from auditor.tables import ATTEMPT
from tests.builders.store_lake import (
    ACME,
    BOND,
    P,
    Q,
    Row,
    at,
    client,
    cover,
    listed,
    make,
    publish,
    stock,
)
from tests.unit.store.test_views_latest import OFFICE, PRODUCT, asked, held, rows, two_nights

CHANGED = {
    "customer_id": ACME,
    "country": "DE",
    "azure_subscription_id": "sub-1",
    "reservation_scope": "AzurePlan",
    "product_id": PRODUCT,
    "subject": "inventory",
    "after_at": at(3),
    "business_date": at(3).date(),
    "suspect": False,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    return three_nights(tmp_path_factory.mktemp("bi"))


def three_nights(folder: Path) -> FolderStore:
    """Return the two nights and a third with changes, failed listings and subscriptions."""
    lake = two_nights(folder)
    restricted = {"verdict_before": "unrestricted", "verdict_after": "restricted"}
    night_3: dict[str, list[Row]] = {
        "coverage": [
            *(cover(one, country) for one in (ACME, BOND) for country in ("", "DE")),
            cover("", "DE"),
        ],
        "customer": [
            client(ACME, "Acme", reseller_id="77"),
            client(BOND, "Bond", country="FR", reseller_id=None),
        ],
        "sku": [listed("0011")],
        "inventory": [stock(ACME, "0011", "restricted", at(3))],
        "restriction": [
            {
                **{k: v for k, v in CHANGED.items() if k in ("customer_id", "country")},
                "azure_subscription_id": "sub-1",
                "reservation_scope": "AzurePlan",
                "product_id": PRODUCT,
                "sku_id": "0011",
                "ordinal": ordinal,
                "reason_code": code,
            }
            for ordinal, code in ((1, "QUOTAID"), (2, "Quite.New"), (3, ""))
        ],
        "change": [
            {
                **CHANGED,
                **restricted,
                "event_id": "e1",
                "kind": "newly_restricted",
                "sku_id": "0011",
                "reason_codes_after": "NotAvailableForSubscription;Older",
            },
            {
                **CHANGED,
                **restricted,
                "event_id": "e2",
                "kind": "newly_restricted",
                "sku_id": "0012",
                "suspect": True,
            },
            {
                **CHANGED,
                "event_id": "e3",
                "kind": "no_longer_purchasable",
                "subject": "availability",
                "country": "",
                "azure_subscription_id": "",
                "reservation_scope": "",
                "product_id": OFFICE,
                "sku_id": "0001",
            },
        ],
        "commerce_subscription": [
            held(ACME, "h1", "0001", at(60), reseller_id="78"),
            held(ACME, "h2", "", at(60), product_id="", offer_name="Old Office"),
        ],
        "check_outcome": [
            asked(BOND, "d1", "failed", sku_id="0011", reason="http_418"),
            asked(BOND, "d2", "failed", kind="listing", reason="subscriptions: http_503"),
            asked(BOND, "d3", "failed", kind="listing", sku_id="0011", reason="skus: Odd_Thing"),
            asked(ACME, "d4", "not_eligible", reason="plan_not_registered"),
        ],
    }
    publish(lake, "p4", at(3), night_3)
    return lake


def test_a_change_has_the_names_and_keys_of_what_changed(store: FolderStore) -> None:
    columns = ("event_id", "company_name", "sku_title", "region", "sku_key", "customer_key")
    azure = f"{P}|DE|AzurePlan|{PRODUCT}"
    assert rows(store, "latest_change", *columns) == [
        ("e1", "Acme", "D0011 one year", "japanwest", f"{azure}:0011", f"{P}|{ACME}"),
        ("e2", "Acme", "", "", f"{azure}:0012", f"{P}|{ACME}"),
        ("e3", "Acme", "Office 0001", "", f"{P}|||{OFFICE}:0001", f"{P}|{ACME}"),
    ]
    by_key = {
        row["inventory_key"]
        for name in ("latest_inventory", "latest_availability")
        for row in store.arrow(name).to_pylist()
    }
    (key,) = rows(store, "latest_change", "inventory_key", kind="newly_restricted", sku="0011")
    assert key[0] in by_key
    assert store.arrow("latest_change").column_names == store.arrow("newly_restricted").column_names
    assert rows(store, "newly_restricted", "event_id") == [("e1",)]


def test_a_subscription_has_its_names_and_keys(store: FolderStore) -> None:
    columns = ("commerce_subscription_id", "company_name", "sku_title", "sku_key", "reseller_key")
    assert rows(store, "latest_commerce_subscription", *columns) == [
        ("h1", "Acme", "Office 0001", f"{P}|||{OFFICE}:0001", f"{P}|78"),
        ("h2", "Acme", "Old Office", "", f"{P}|"),
    ]
    skus = [key for (key,) in rows(store, "dim_sku", "sku_key")]
    assert f"{P}|||{OFFICE}:0001" in skus
    assert len(skus) == len(set(skus))


def test_resellers_and_countries_are_those_of_customers_and_subscriptions(
    store: FolderStore,
) -> None:
    assert rows(store, "dim_reseller", "reseller_key", "partner_name", "customers") == [
        (f"{P}|", "contoso-eu", 1),
        (f"{P}|77", "contoso-eu", 1),
        (f"{P}|78", "contoso-eu", 0),
        (f"{Q}|", "contoso-us", 1),
    ]
    named = {key for (key,) in rows(store, "dim_reseller", "reseller_key")}
    for name in ("dim_customer", "latest_commerce_subscription"):
        assert {key for (key,) in rows(store, name, "reseller_key")} <= named
    assert rows(store, "dim_country", "country", "country_name", "customers") == [
        ("", "", 0),
        ("DE", "Germany", 2),
        ("FR", "France", 1),
    ]


def test_what_is_unanswered_joins_the_dimensions(store: FolderStore) -> None:
    columns = ("check_id", "sku_key", "inventory_key", "reason_key")
    sku = f"{P}|DE|AzurePlan|{PRODUCT}:0011"
    assert rows(store, "unanswered", *columns) == [
        ("d1", sku, f"{P}|{BOND}|DE|sub-2||AzurePlan|{PRODUCT}:0011", "http_418"),
        ("d2", "", "", "http_503"),
        ("d3", sku, "", "odd_thing"),
    ]
    named = {key for (key,) in rows(store, "dim_reason", "reason_key")}
    assert {key for (key,) in rows(store, "unanswered", "reason_key")} <= named


def test_every_reason_of_the_store_is_one_row_in_plain_words(store: FolderStore) -> None:
    found = {row["reason_key"]: row for row in store.arrow("dim_reason").to_pylist()}
    assert len(found) == store.arrow("dim_reason").num_rows
    of_the_store = ("quotaid", "quite.new", "older", "http_418", "http_503", "odd_thing")
    assert [(found[key]["reason"], found[key]["is_known"]) for key in of_the_store] == [
        ("QuotaId", True),
        ("Quite.New", False),
        ("Older", False),
        ("http_418", True),
        ("http_503", True),
        ("Odd_Thing", False),
    ]
    assert found.keys() - set(of_the_store) == {
        each.reason.lower() for each in reasons.known() if each.reason
    } - set(of_the_store)


def test_the_view_says_what_the_program_says(store: FolderStore) -> None:
    for row in store.arrow("dim_reason").to_pylist():
        meant = reasons.meaning(row["reason"], row["kind"])
        assert row == {
            "reason_key": meant.reason.lower(),
            "reason": meant.reason,
            "kind": meant.kind,
            "sentence": meant.sentence,
            "next_step": meant.next_step,
            "is_known": meant.is_known,
        }


def test_an_empty_store_knows_the_reasons_of_the_program(tmp_path: Path) -> None:
    lake = make(tmp_path)
    known = {each.reason for each in reasons.known() if each.reason}
    assert set(lake.arrow("dim_reason").column("reason").to_pylist()) == known
    assert rows(lake, "dim_country", "country") == [("",)]


def tried(run_id: str, when: object, **more: object) -> Row:
    """Return the attempt of a full run that published nothing."""
    return {
        "run_id": run_id,
        "partner_tenant_id": P,
        "partner_name": "contoso-eu",
        "kind": "full",
        "started_at": when,
        "exit": 69,
        "error_code": "E_UNREACHABLE",
        "reason": "no reply",
        "snapshot_id": "",
        "calls": 3,
        **more,
    }


def run_days(folder: Path) -> FolderStore:
    """Return a week of runs: complete, failed, none, incomplete, twice, of one customer, failed."""
    lake = make(folder)
    acme, bond = cover(ACME), cover(BOND, status="partly")
    of_night: Row = {"checks_answered": 6, "checks_failed": 1, "checks_skipped": 1}
    done: Row = {"exit": 0, "error_code": "", "reason": ""}
    publish(lake, "s1", at(1), {"coverage": [acme]}, checks_answered=4, calls=9)
    publish(lake, "s4", at(4), {"coverage": [acme, bond]}, status="incomplete", **of_night)
    publish(lake, "s5", at(5), {"coverage": [acme, bond]}, **of_night)
    publish(lake, "s5b", at(5, 600), {"coverage": [acme, bond]}, status="incomplete")
    publish(lake, "s6", at(6), {"coverage": [acme]}, kind="partial")
    rows = [
        tried("run-0", at(0, 0)),
        tried("run-2", at(2)),
        tried("run-s4", at(4), **{**done, "exit": 3, "reason": "2 of 8 checks"}, snapshot_id="s4"),
        tried("run-4b", at(4, 60), kind="partial", exit=None),
        tried("run-s5", at(5), **done, snapshot_id="s5"),
        tried("run-s5b", at(5, 600), exit=137, error_code="E_KILLED"),
        tried("run-s6", at(6), **done, kind="partial", snapshot_id="s6"),
        tried("run-7", at(7)),
        tried("run-7", at(7), partner_tenant_id=Q, partner_name="contoso-us"),
    ]
    lake.record_attempts(pa.Table.from_pylist(rows, schema=ATTEMPT))
    return lake


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    return run_days(tmp_path_factory.mktemp("week"))


def test_each_day_of_a_partner_is_a_row_whatever_happened(week: FolderStore) -> None:
    columns = (
        *("attempts", "full_attempts", "attempts_complete", "attempts_incomplete"),
        *("attempts_failed", "is_complete", "snapshot_id", "last_exit"),
    )
    found = {row[0].day: row[1:] for row in rows(week, "fact_run_day", "date", *columns)}
    assert found == {
        31: (1, 1, 0, 0, 1, False, "", 69),
        1: (1, 1, 1, 0, 0, True, "s1", 0),
        2: (1, 1, 0, 0, 1, False, "", 69),
        3: (0, 0, 0, 0, 0, False, "", None),
        4: (2, 1, 0, 1, 1, False, "s4", 3),
        5: (2, 2, 1, 0, 1, True, "s5", 137),
        6: (1, 0, 1, 0, 0, False, "", 0),
        7: (1, 1, 0, 0, 1, False, "", 69),
    }


def test_a_day_says_why_and_how_much_is_unanswered(week: FolderStore) -> None:
    columns = ("checks_unknown_share", "customers_unknown_share", "last_reason", "calls")
    found = {row[0].day: row[1:] for row in rows(week, "fact_run_day", "date", *columns)}
    assert found[1] == (0.0, 0.0, "", 9)
    assert found[3] == (None, None, "", 0)
    assert found[4] == (0.25, 0.5, "2 of 8 checks", 6)
    assert found[7] == (None, None, "no reply", 3)


def test_every_day_with_a_run_is_a_date_of_the_star(week: FolderStore) -> None:
    days = {date for (date,) in rows(week, "fact_run_day", "date")}
    assert days == {date for (date,) in rows(week, "dim_date", "date")}


def test_a_partner_that_never_published_is_a_partner_of_the_star(week: FolderStore) -> None:
    assert rows(week, "dim_partner", "partner_name", "newest_snapshot_id") == [
        ("contoso-eu", "s6"),
        ("contoso-us", None),
    ]


def test_a_day_counts_only_its_own_partner(store: FolderStore) -> None:
    columns = ("partner_tenant_id", "date", "attempts", "is_complete")
    assert rows(store, "fact_run_day", *columns) == [
        (P, at(1).date(), 1, True),
        (P, at(2).date(), 2, True),
        (P, at(3).date(), 1, True),
        (Q, at(1).date(), 1, True),
    ]
