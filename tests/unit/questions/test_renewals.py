"""The renewals ahead: all of them are counted, those at risk first, and unknown is said."""

import io

import pytest

from auditor.questions.renewals import Renewals, renewals
from auditor.report import listings
from auditor.store.folder.store import FolderStore
from tests.builders.report_lake import OFFICE
from tests.builders.store_lake import ACME, at, client, cover, make, publish

Row = dict[str, object]


def held(name: str, day: int, **more: object) -> Row:
    return {
        "customer_id": ACME,
        "commerce_subscription_id": name,
        "product_id": OFFICE,
        "sku_id": name,
        "offer_name": f"Office {name}",
        "quantity": 5,
        "status": "active",
        "term_duration": "P1Y",
        "term_ends_at": at(day),
        "end_action": "renew",
        **more,
    }


def offered(sku_id: str, term: str, verdict: str, **more: object) -> Row:
    return {
        "customer_id": ACME,
        "product_id": OFFICE,
        "sku_id": sku_id,
        "segment": "commercial",
        "term_duration": term,
        "verdict": verdict,
        "checked_at": at(1),
        **more,
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    lake = make(tmp_path_factory.mktemp("renewals"))
    relations = {
        "coverage": [cover(ACME)],
        "customer": [client(ACME, "Acme")],
        "commerce_subscription": [
            held("good", 10),
            held("bad", 40),
            held("moves", 30, next_product_id=OFFICE, next_sku_id="bad", next_term_duration="P1M"),
            held("silent", 20),
            held("ends", 15, end_action="ends"),
            held("late", 120),
            held("legacy", 25, product_id="", sku_id="", offer_name="Old plan"),
        ],
        "availability": [
            offered("good", "P1Y", "purchasable"),
            offered("bad", "P1Y", "not_purchasable", renew_to=f"{OFFICE}:good;{OFFICE}:new"),
            offered("bad", "P1M", "purchasable"),
        ],
        "check_outcome": [
            {
                "check_id": "c1",
                "kind": "availability",
                "customer_id": ACME,
                "product_id": OFFICE,
                "sku_id": "silent",
                "outcome": "failed",
                "reason": "http_503",
            }
        ],
    }
    publish(lake, "20261101T020000Z-00000a", at(1), relations)
    return lake


@pytest.fixture(scope="module")
def found(store: FolderStore) -> Renewals:
    return renewals(store, at(1), 90)


def test_those_at_risk_stand_first_and_all_are_the_denominator(found: Renewals) -> None:
    names = found.table.column("commerce_subscription_id").to_pylist()
    assert names == ["bad", "silent", "legacy", "good", "moves"]
    assert (found.at_risk, found.unknown, found.total) == (1, 2, 5)


def test_the_next_term_decides_what_is_bought(found: Renewals) -> None:
    rows = {row["commerce_subscription_id"]: row for row in found.table.to_pylist()}
    assert (rows["bad"]["verdict"], rows["bad"]["days_left"]) == ("not_purchasable", 39)
    assert (rows["moves"]["bought_sku_id"], rows["moves"]["verdict"]) == ("bad", "purchasable")


def test_what_it_could_be_renewed_to_is_named(found: Renewals) -> None:
    [row] = [row for row in found.table.to_pylist() if row["is_at_risk"]]
    assert row["renew_to"] == f"{OFFICE}:good;{OFFICE}:new"
    assert row["renew_to_titles"] == f"{OFFICE}:new;Office good"


def test_an_unknown_renewal_says_why_and_is_no_risk(found: Renewals) -> None:
    rows = {row["commerce_subscription_id"]: row for row in found.table.to_pylist()}
    assert (rows["silent"]["verdict"], rows["silent"]["reason"]) == ("unknown", "http_503")
    assert not rows["silent"]["is_at_risk"]


def test_a_narrower_range_has_fewer_renewals(store: FolderStore) -> None:
    assert renewals(store, at(1), 12).total == 1


def test_the_listing_says_what_cannot_be_read(found: Renewals) -> None:
    stream = io.StringIO()
    listings.write_markdown(listings.renewals(found), stream)
    assert "1 of 5 renewals within 90 days at risk; not known of 2." in stream.getvalue()
    assert "not readable with this credential" in stream.getvalue()
