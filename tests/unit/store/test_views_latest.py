"""The views over a small lake of two partners give the rows that were worked out by hand."""

from pathlib import Path
from typing import Any

import pytest

from auditor.store.folder.store import FolderStore
from tests.builders.store_lake import (
    ACME,
    BOND,
    COHO,
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
OFFICE = "CFQ7TTC0LH18"


def offer(customer_id: str, sku_id: str, verdict: str, **more: object) -> dict[str, Any]:
    """Return a customer's availability of a licence for one year."""
    return {
        "customer_id": customer_id,
        "product_id": OFFICE,
        "sku_id": sku_id,
        "segment": "commercial",
        "term_duration": "P1Y",
        "billing_cycle": "Annual",
        "verdict": verdict,
        "checked_at": at(2),
        "verdict_since_at": at(1),
        **more,
    }


def held(customer_id: str, name: str, sku_id: str, ends: object, **more: object) -> dict[str, Any]:
    """Return a licence that renews unchanged."""
    return {
        "customer_id": customer_id,
        "commerce_subscription_id": name,
        "product_id": OFFICE,
        "sku_id": sku_id,
        "offer_name": f"Office {sku_id}",
        "quantity": 1,
        "term_duration": "P1Y",
        "term_ends_at": ends,
        "end_action": "renew",
        **more,
    }


def asked(customer_id: str, name: str, outcome: str, **more: object) -> dict[str, Any]:
    """Return the outcome of an inventory check of the product in DE."""
    return {
        "check_id": name,
        "kind": "inventory",
        "customer_id": customer_id,
        "country": "DE",
        "azure_subscription_id": f"sub-{customer_id[-1]}",
        "reservation_scope": "AzurePlan",
        "product_id": PRODUCT,
        "outcome": outcome,
        "reason": "timeout" if outcome == "failed" else "",
        "attempts": 1,
        **more,
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    """The lake for tests that only read."""
    return two_nights(tmp_path_factory.mktemp("read"))


@pytest.fixture
def fresh(tmp_path: Path) -> FolderStore:
    """A copy of the lake for a test that changes it."""
    return two_nights(tmp_path)


def two_nights(folder: Path) -> FolderStore:
    """Return night 1 of both partners, night 2 of the first, then an on-demand run for ACME.

    In night 2 BOND's checks had no answer, and SKU 0012 had left the catalog. COHO is of partner Q.
    """
    lake = make(folder)
    everywhere = [
        *(cover(one, country) for one in (ACME, BOND) for country in ("", "DE")),
        cover("", "DE"),
    ]
    clients = [client(ACME, "Acme", reseller_id="77"), client(BOND, "Bond")]
    night_1 = {
        "coverage": everywhere,
        "customer": clients,
        "sku": [listed("0011"), listed("0012")],
        "inventory": [
            stock(ACME, "0011", "unrestricted", at(1, 1)),
            stock(ACME, "0012", "unrestricted", at(1, 1)),
            stock(BOND, "0011", "unrestricted", at(1, 2)),
        ],
    }
    publish(lake, "p1", at(1), night_1)
    of_coho = {
        "coverage": [cover(COHO), cover(COHO, "DE")],
        "customer": [client(COHO, "Coho")],
        "inventory": [stock(COHO, "0011", "restricted", at(1, 5))],
    }
    publish(lake, "q1", at(1), of_coho, partner_tenant_id=Q, partner_name="contoso-us")
    night_2 = {
        "coverage": everywhere,
        "customer": clients,
        "sku": [listed("0011")],
        "remembered": [
            {
                "country": "DE",
                "reservation_scope": "AzurePlan",
                "product_id": PRODUCT,
                "sku_id": "0012",
                "what": "gone",
                "detail": '{"product_title":"Old Dv3","title":"D0012","arm_sku_name":"S_0012"}',
                "since_at": at(2),
            }
        ],
        "inventory": [
            stock(ACME, "0011", "restricted", at(2, 1), checked_snapshot_id="p2"),
            stock(ACME, "0012", "not_in_catalog", at(2, 0), checked_snapshot_id="p2"),
            stock(BOND, "0011", "unrestricted", at(1, 2), checked_snapshot_id="p1"),
        ],
        "restriction": [
            {
                **{k: v for k, v in stock(ACME, "0011", "x", at(1)).items() if k[-2:] != "at"},
                "ordinal": 1,
                "reason_code": "NotAvailableForSubscription",
                "type": "Location",
                "value": "japanwest",
            }
        ],
        "availability": [
            offer(ACME, "0001", "not_purchasable"),
            offer(ACME, "0002", "purchasable"),
            offer("", "0001", "purchasable", country="DE"),
        ],
        "commerce_subscription": [
            held(ACME, "h1", "0001", at(60)),
            held(ACME, "h2", "0002", at(60)),
            held(ACME, "h3", "0002", at(60), next_product_id=OFFICE, next_sku_id="0001"),
            held(ACME, "h4", "0001", at(120)),
            held(ACME, "h5", "0001", at(60), end_action="ends"),
            held(ACME, "h6", "0001", None),
            held(BOND, "h7", "0001", at(60)),
        ],
        "check_outcome": [
            asked(ACME, "c1", "answered"),
            asked(BOND, "c2", "failed", http_status=503),
            asked(BOND, "c3", "skipped", product_id="NEW", sku_id="0001", reason="deadline"),
            asked(BOND, "c4", "skipped", product_id="", reason="listing_failed"),
            asked(ACME, "c5", "not_eligible"),
        ],
    }
    for row in night_2["restriction"]:
        for name in ("verdict", "reason_codes", "restriction_values", "region"):
            row.pop(name)
    publish(lake, "p2", at(2), night_2)
    on_demand = {
        "coverage": [cover(ACME, "DE")],
        "inventory": [
            stock(ACME, "0011", "restricted", at(2, 65), verdict_since_at=at(2, 1)),
            stock(ACME, "0012", "not_in_catalog", at(2, 0)),
        ],
        "check_outcome": [asked(ACME, "c1", "answered")],
    }
    publish(lake, "p3", at(2, 60), on_demand, kind="partial")
    return lake


def rows(store: FolderStore, name: str, *columns: str, **asked: str) -> list[tuple[Any, ...]]:
    found = store.arrow(name, **asked).select(columns).to_pylist()
    return sorted(tuple(row.values()) for row in found)


def test_latest_inventory_has_names_age_and_keys(store: FolderStore) -> None:
    assert rows(store, "latest_inventory", "company_name", "sku_id", "verdict", "is_stale") == [
        ("Acme", "0011", "restricted", False),
        ("Acme", "0012", "not_in_catalog", False),
        ("Bond", "0011", "unrestricted", True),
        ("Coho", "0011", "restricted", False),
    ]
    row = store.arrow("latest_inventory", customer="Acme", sku="0011").to_pylist()[0]
    assert row["snapshot_id"] == "p3"
    assert row["checked_at"] == at(2, 65)
    assert row["answer_age_hours"] == pytest.approx(5 / 60)
    assert row["customer_key"] == f"{P}|{ACME}"
    assert row["sku_key"] == f"{P}|DE|AzurePlan|{PRODUCT}:0011"
    assert row["inventory_key"] == f"{P}|{ACME}|DE|sub-1||AzurePlan|{PRODUCT}:0011"
    assert row["product_title"] == "Virtual Machines Dv3"
    assert row["sku_title"] == "D0011 one year"
    assert row["arm_sku_name"] == "Standard_D0011_v3"


def test_what_a_listing_proved_since_the_newest_full_run_began_is_not_stale(
    tmp_path: Path,
) -> None:
    """P39: also a listing that was answered before and is not due; the age counts from it."""
    before = {"checked_snapshot_id": "s1"}
    proven = {"checked_snapshot_id": "s2"}
    state = {
        "coverage": [cover("", "DE"), cover(ACME), cover(ACME, "DE")],
        "inventory": [
            stock(ACME, "1", "not_in_catalog", at(1), **before),
            stock(ACME, "2", "not_in_catalog", at(1), **proven),
            stock(ACME, "3", "restricted", at(1), **before),
        ],
        "availability": [
            offer(ACME, "1", "not_in_catalog", checked_at=at(1), **before),
            offer(ACME, "2", "not_in_catalog", checked_at=at(1), **proven),
        ],
    }
    lake = make(tmp_path)
    publish(lake, "s1", at(1), {"coverage": state["coverage"]})
    publish(lake, "s2", at(2), state)
    age = 24 + 10 / 60
    columns = ("sku_id", "is_stale", "answer_age_hours")
    assert rows(lake, "latest_inventory", *columns) == [
        ("1", True, age),
        ("2", False, age),
        ("3", True, age),
    ]
    assert rows(lake, "latest_availability", "sku_id", "is_stale") == [("1", True), ("2", False)]
    counts = ("restricted", "not_in_catalog", "unknown")
    found = lake.arrow("fact_restriction_day").select(counts).to_pylist()
    assert [sum(row[name] for row in found) for name in counts] == [0, 1, 2]


def test_a_sku_that_left_the_catalog_keeps_its_names(store: FolderStore) -> None:
    names = ("product_title", "sku_title", "arm_sku_name")
    assert rows(store, "latest_inventory", *names, sku="0012") == [("Old Dv3", "D0012", "S_0012")]


def test_latest_restriction_follows_the_newest_snapshot_of_its_cell(store: FolderStore) -> None:
    """The on-demand run answered ACME again and wrote no restriction."""
    assert rows(store, "restriction", "snapshot_id", "value") == [("p2", "japanwest")]
    assert rows(store, "latest_restriction", "value") == []


def test_latest_restriction_has_names_and_keys(fresh: FolderStore) -> None:
    again = {
        "coverage": [cover(ACME, "DE")],
        "inventory": [stock(ACME, "0011", "restricted", at(3))],
        "restriction": [
            {
                "customer_id": ACME,
                "country": "DE",
                "azure_subscription_id": "sub-1",
                "reservation_scope": "AzurePlan",
                "product_id": PRODUCT,
                "sku_id": "0011",
                "ordinal": ordinal,
                "value": value,
            }
            for ordinal, value in ((1, "japaneast"), (2, "japanwest"))
        ],
    }
    publish(fresh, "p4", at(3), again, kind="partial")
    found = rows(fresh, "latest_restriction", "ordinal", "value", "company_name", "inventory_key")
    key = f"{P}|{ACME}|DE|sub-1||AzurePlan|{PRODUCT}:0011"
    assert found == [(1, "japaneast", "Acme", key), (2, "japanwest", "Acme", key)]


def test_latest_availability_uses_the_offer_name_of_a_held_licence(store: FolderStore) -> None:
    columns = ("customer_id", "country", "sku_id", "sku_title", "sku_key", "inventory_key")
    assert rows(store, "latest_availability", *columns) == [
        ("", "DE", "0001", "Office 0001", f"{P}|DE||{OFFICE}:0001", f"{P}||DE||||{OFFICE}:0001"),
        (ACME, "", "0001", "Office 0001", f"{P}|||{OFFICE}:0001", f"{P}|{ACME}|||||{OFFICE}:0001"),
        (ACME, "", "0002", "Office 0002", f"{P}|||{OFFICE}:0002", f"{P}|{ACME}|||||{OFFICE}:0002"),
    ]


def test_latest_sku_and_customer_hold_only_those_known_now(store: FolderStore) -> None:
    assert rows(store, "latest_sku", "sku_id", "sku_key") == [
        ("0011", f"{P}|DE|AzurePlan|{PRODUCT}:0011")
    ]
    assert rows(store, "latest_customer", "company_name", "partner_name", "customer_key") == [
        ("Acme", "contoso-eu", f"{P}|{ACME}"),
        ("Bond", "contoso-eu", f"{P}|{BOND}"),
        ("Coho", "contoso-us", f"{Q}|{COHO}"),
    ]


def test_a_customer_that_left_is_in_no_latest_view(fresh: FolderStore) -> None:
    left = [cover(ACME, country, status="left") for country in ("", "DE")]
    publish(fresh, "p4", at(3), {"coverage": left}, kind="partial")
    for name in ("latest_inventory", "latest_customer", "latest_availability", "renewal_at_risk"):
        assert ACME not in fresh.arrow(name).column("customer_id").to_pylist(), name


def test_unanswered_shows_each_check_and_since_when(store: FolderStore) -> None:
    columns = ("check_id", "company_name", "product_id", "outcome", "reason", "since")
    assert rows(store, "unanswered", *columns) == [
        ("c2", "Bond", PRODUCT, "failed", "timeout", at(1, 2)),
        ("c3", "Bond", "NEW", "skipped", "deadline", None),
        ("c4", "Bond", "", "skipped", "listing_failed", at(1, 2)),
    ]


def test_a_later_answer_takes_a_check_out_of_unanswered(fresh: FolderStore) -> None:
    again = {"coverage": [cover(BOND, "DE")], "check_outcome": [asked(BOND, "c2", "answered")]}
    publish(fresh, "p4", at(3), again, kind="partial")
    assert rows(fresh, "unanswered", "check_id") == []


def test_renewal_at_risk_lists_licences_the_next_term_cannot_buy(store: FolderStore) -> None:
    """h2 can be bought; h4 ends too late; h5 does not renew; h6 has no end; h7 was not asked."""
    columns = ("commerce_subscription_id", "bought_sku_id", "verdict", "company_name")
    assert rows(store, "renewal_at_risk", *columns) == [
        ("h1", "0001", "not_purchasable", "Acme"),
        ("h3", "0001", "not_purchasable", "Acme"),
    ]


def test_a_renewal_is_at_risk_even_if_another_term_can_be_bought(fresh: FolderStore) -> None:
    again = {
        "coverage": [cover(ACME)],
        "availability": [
            offer(ACME, "0001", "not_in_catalog"),
            offer(ACME, "0001", "purchasable", term_duration="P1M"),
            offer(ACME, "0002", "purchasable", term_duration="P1M"),
        ],
        "commerce_subscription": [
            held(ACME, "h1", "0001", at(60)),
            held(ACME, "h2", "0002", at(60)),
        ],
    }
    publish(fresh, "p4", at(3), again, kind="partial")
    assert rows(fresh, "renewal_at_risk", "commerce_subscription_id", "verdict") == [
        ("h1", "not_in_catalog")
    ]


def test_dimensions_name_every_key_of_the_latest_views(store: FolderStore) -> None:
    named = {row[0]: row for row in rows(store, "dim_sku", "sku_key", "is_listed", "family")}
    for name in ("latest_inventory", "latest_availability"):
        for (key,) in rows(store, name, "sku_key"):
            assert key in named
    assert named[f"{P}|DE|AzurePlan|{PRODUCT}:0011"][1:] == (True, "Dv3")
    assert named[f"{P}|DE|AzurePlan|{PRODUCT}:0012"][1:] == (False, "Old Dv3")
    assert len(named) == store.arrow("dim_sku").num_rows
    keys = store.arrow("dim_customer").column("customer_key").to_pylist()
    assert sorted(keys) == [f"{P}|{ACME}", f"{P}|{BOND}", f"{Q}|{COHO}"]
    assert rows(store, "dim_partner", "partner_name", "newest_snapshot_id") == [
        ("contoso-eu", "p3"),
        ("contoso-us", "q1"),
    ]
    assert rows(store, "dim_region", "region", "region_name") == [
        ("", ""),
        ("japanwest", "Japan West"),
    ]
