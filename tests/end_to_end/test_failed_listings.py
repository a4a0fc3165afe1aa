"""P35: a listing that fails is an unanswered question, from the first night on."""

import json
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.run.forecast_run import forecast_run
from auditor.run.result import RunReport
from auditor.run.runtime import Runtime
from auditor.sandbox import Fault, Faults, WorldSize
from auditor.sandbox.answers.shapes import customer_item
from auditor.settings.values import Cache
from auditor.store import open_store
from auditor.store.interface import Store
from tests.builders.nightly import INVENTORY_KEY, IS_SOAK, Key, Night, nights, seeds

SEED = 1
TINY = WorldSize(customers=24, products=2, regions=2, sizes_per_product=1, licence_products=3)
PAGE = 5
"""Customers on a page: each partner's list has several."""
LISTS = ("customers", "subscriptions", "entitlements", "products", "skus")
SINGLE = ("customer", "registration")
"""Asked by id: the billing country, and whether a plan may buy reservations."""
NEXT = {
    "uri": "/customers?size=500&seekOperation=Next",
    "method": "GET",
    "headers": [{"key": "MS-ContinuationToken", "value": "same"}],
}
ACTIONS: dict[str, dict[str, Any]] = {
    "503": {"status": 503},
    "HTML": {"body": "<html><body>Service unavailable</body></html>"},
    "cut": {"cut": True},
    "empty": {"body": ""},
    "204": {"status": 204, "body": ""},
    "403": {"status": 403, "code": "20002"},
    "short": {"body": json.dumps({"totalCount": 16, "items": []})},
}
ELSEWHERE = {
    "body": json.dumps(
        {"totalCount": 0, "items": [], "links": {"next": {**NEXT, "uri": "/v1//v1/customers"}}}
    )
}
OUT = {("customers", "403"), ("products", "403")}
"""These say that the partner's own credential is refused: nothing of it is published."""
CASES = [
    *((listing, name) for listing in LISTS for name in ACTIONS if (listing, name) not in OUT),
    *((listing, name) for listing in SINGLE for name in ACTIONS if name != "short"),
    ("customers", "loop"),
    ("customers", "elsewhere"),
]
FEW = [
    *((listing, "503") for listing in (*LISTS, *SINGLE)),
    *(
        ("customers", name)
        for name in (*ACTIONS, "loop", "elsewhere")
        if name not in {"503", "403"}
    ),
    ("subscriptions", "HTML"),
    ("subscriptions", "short"),
    ("entitlements", "403"),
    ("entitlements", "204"),
    ("products", "empty"),
    ("skus", "cut"),
]
"""What the suite runs; `make soak-truth` runs all of `CASES`."""
ONCE = [*((listing, "503") for listing in (*LISTS, *SINGLE)), ("customers", "short")]


def fault(night: Night, listing: str, action: str) -> Faults:
    """Return the fault of one listing of the first partner; of the customers, from page 2 on."""
    partner = night.world.partners()[0]
    after = 1 if listing == "customers" else 0
    how = ELSEWHERE if action == "elsewhere" else ACTIONS.get(action, {})
    if action == "loop":
        item = customer_item(night.world.state(1), night.world.customers(partner, 1)[-1])
        page = {"totalCount": 1, "items": [item], "links": {"next": NEXT}}
        how = {"body": msgspec.json.encode(page).decode()}
    return Faults([Fault(endpoint=listing, partner=partner.name, after=after, **how)])


def covered(key: Mapping[str, str], unanswered: Iterable[Mapping[str, str]]) -> bool:
    """Tell whether a row of `unanswered` says that the key is unknown."""
    for row in unanswered:
        if row["partner_tenant_id"] != key["partner_tenant_id"] or row["kind"] == "availability":
            continue
        names: Iterable[str] = INVENTORY_KEY[1:]
        if row["kind"] == "listing":  # it names a plan where a check names an Azure subscription
            names = ("customer_id", "country", "reservation_scope", "product_id", "sku_id")
        if all(row[name] in {"", key[name]} for name in names):
            return True
    return False


def silent(night: Night, number: int) -> list[Key]:
    """Return the keys of the truth that are neither known nor said to be unknown.

    A key that left the catalog before its first answer is not there to be known.
    """
    known = night.inventory()
    unanswered = night.rows("SELECT * FROM unanswered")
    return [
        key
        for key, (verdict, *_) in night.inventory_truth(number).items()
        if verdict != "not_in_catalog"
        and key not in known
        and not covered(dict(zip(INVENTORY_KEY, key, strict=True)), unanswered)
    ]


def assert_said(night: Night, report: RunReport, partner: str) -> None:
    """The snapshot of the partner says what is missing, everywhere alike."""
    of = {each.partner: each for each in report.snapshots}
    assert report.exit == 3
    assert {name: each.status for name, each in of.items()} == {
        name: "incomplete" if name == partner else "complete" for name in of
    }
    assert of[partner].reason
    snapshot_id = of[partner].snapshot_id
    (row,) = night.rows(f"SELECT * FROM snapshot WHERE snapshot_id = '{snapshot_id}'")
    outcomes = night.rows(
        f"SELECT * FROM check_outcome WHERE kind = 'listing' AND snapshot_id = '{snapshot_id}'"
    )
    unanswered = night.rows("SELECT * FROM unanswered WHERE kind = 'listing'")
    assert row["listings_failed"] == len(outcomes) == len(unanswered) > 0
    assert all(each["outcome"] == "failed" and each["reason"] for each in outcomes)
    cells = night.rows(f"SELECT * FROM coverage WHERE snapshot_id = '{snapshot_id}'")
    assert sum(cell["listings_failed"] for cell in cells) == len(outcomes)
    assert sum(cell["customers_unlisted"] for cell in cells) == row["customers_unlisted"]
    assert all(cell["status"] != "covered" for cell in cells if cell["listings_failed"])


@pytest.mark.asyncio
@pytest.mark.parametrize(("listing", "action"), CASES if IS_SOAK else FEW)
async def test_on_a_first_night_a_failed_listing_is_said_and_the_next_night_is_the_truth(
    listing: str, action: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P35."""
    monkeypatch.setattr("auditor.sandbox.answers.customers.LARGEST_PAGE", PAGE)
    async with nights(tmp_path, SEED, size=TINY) as night:
        partner = night.world.partners()[0].name
        night.sandbox.faults = fault(night, listing, action)
        report = await night.run(1)
        assert_said(night, report, partner)
        assert silent(night, 1) == []
        night.sandbox.faults = Faults()
        report = await night.run(1)
        assert report.exit == 0
        assert night.inventory() == night.inventory_truth(1)
        assert night.rows("SELECT * FROM unanswered") == []
        assert [each.changes for each in report.snapshots] == [{}, {}]


@pytest.mark.asyncio
@pytest.mark.parametrize(("listing", "action"), CASES if IS_SOAK else ONCE)
async def test_an_empty_store_and_a_full_one_name_the_same_failed_listings(
    listing: str, action: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P35: what was known before is carried, and the night after is the truth again."""
    monkeypatch.setattr("auditor.sandbox.answers.customers.LARGEST_PAGE", PAGE)
    async with nights(tmp_path, SEED, size=TINY) as night:
        uncached = msgspec.structs.replace(
            night.settings, cache=Cache(subscriptions=0, catalog=0, billing_country=0)
        )
        empty = msgspec.structs.replace(uncached, store=str(tmp_path / "empty"))
        partner = night.world.partners()[0].name
        await night.run(1, settings=uncached)
        night.sandbox.faults = fault(night, listing, action)
        report = await night.run(1, settings=uncached)
        assert_said(night, report, partner)
        assert silent(night, 1) == []
        assert all(each.changes == {} for each in report.snapshots)
        named = listings(open_store(uncached.store))
        night.sandbox.faults = fault(night, listing, action)
        await night.run(1, settings=empty)
        assert listings(open_store(empty.store)) == named
        night.sandbox.faults = Faults()
        report = await night.run(2, settings=uncached)
        assert report.exit == 0
        assert night.inventory() == night.inventory_truth(2)


def listings(store: Store) -> set[tuple[str, ...]]:
    """Return the failed listings that the newest snapshots name."""
    columns = ("customer_id", "country", "azure_subscription_id", "product_id", "reason")
    rows = store.arrow("unanswered", kind="listing").to_pylist()
    return {tuple(row[name] for name in columns) for row in rows}


@pytest.mark.asyncio
async def test_new_customers_behind_a_failing_page_are_said_on_a_later_night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P35."""
    async with nights(tmp_path, SEED, size=TINY) as night:
        partner = night.world.partners()[0]
        night.sandbox.faults = Faults(
            [Fault(endpoint="customers", partner=partner.name, truncate=3)]
        )
        await night.run(1)
        monkeypatch.setattr("auditor.sandbox.answers.customers.LARGEST_PAGE", PAGE)
        night.sandbox.faults = fault(night, "customers", "503")
        report = await night.run(1)
        assert_said(night, report, partner.name)
        assert silent(night, 1) == []


@pytest.mark.asyncio
async def test_a_plan_says_what_it_could_not_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P35."""
    monkeypatch.setattr("auditor.sandbox.answers.customers.LARGEST_PAGE", PAGE)
    async with nights(tmp_path, SEED, size=TINY) as night:
        partner = night.world.partners()[0].name
        night.sandbox.faults = fault(night, "customers", "HTML")
        runtime = Runtime(environ=night.environ)
        forecast = await forecast_run(night.settings, runtime=runtime)
        assert f"{partner}: the customer list ended after {PAGE}" in forecast.unknown
        assert any("customers failed 1 time" in line for line in forecast.unknown)


@pytest.mark.asyncio
@pytest.mark.parametrize("is_full", [False, True], ids=["empty", "full"])
@pytest.mark.parametrize("listing", [*LISTS, *SINGLE] if IS_SOAK else ["customers", "entitlements"])
async def test_a_failed_listing_is_said_in_a_database_too(
    listing: str, is_full: bool, tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P35: in an empty database, and in one that knows everything."""
    monkeypatch.setattr("auditor.sandbox.answers.customers.LARGEST_PAGE", PAGE)
    async with nights(tmp_path, SEED, size=TINY, store=store_url) as night:
        partner = night.world.partners()[0].name
        if is_full:
            await night.run(1)
        night.sandbox.faults = fault(night, listing, "503")
        report = await night.run(1)
        assert_said(night, report, partner)
        assert silent(night, 1) == []
        night.sandbox.faults = Faults()
        report = await night.run(1)
        assert report.exit == 0
        assert night.inventory() == night.inventory_truth(1)
        assert night.rows("SELECT * FROM unanswered") == []
        assert [each.changes for each in report.snapshots] == [{}, {}]


def random_faults(night: Night, rng: random.Random) -> Faults:
    """Return faults of one to three listings, each for a share of its calls."""
    chosen = []
    for listing in rng.sample((*LISTS, *SINGLE), rng.randint(1, 3)):
        fit = [name for name in ACTIONS if (listing, name) not in OUT]
        how = ACTIONS[rng.choice(fit)]
        if listing == "customers":
            after = rng.randint(1, 2)
            chosen += [
                Fault(endpoint=listing, partner=partner.name, after=after, **how)
                for partner in night.world.partners()
            ]
        else:
            chosen.append(Fault(endpoint=listing, share=rng.choice((0.2, 0.5, 1.0)), **how))
    return Faults(chosen, seed=rng.randrange(1000))


FROM = {
    "newly_restricted": "unrestricted",
    "restriction_lifted": "restricted",
    "restriction_changed": "restricted",
}


def assert_every_change_ends_in_the_truth(night: Night) -> None:
    """Compare each inventory change with the truth of the nights it names.

    A key whose subscription left behind a failing listing is carried, and may leave and enter the
    catalog there, so only the changes of a verdict have a truth to begin with.
    """
    order = {
        row["snapshot_id"]: number
        for partner in night.world.partners()
        for number, row in enumerate(
            night.store.arrow("snapshot", partner=partner.name).sort_by("sequence").to_pylist(),
            start=1,
        )
    }
    for row in night.rows("SELECT * FROM change WHERE subject = 'inventory'"):
        key = tuple(row[name] for name in INVENTORY_KEY)
        truth = night.inventory_truth(order[row["snapshot_id"]])
        assert row["verdict_after"] == truth.get(key, ("not_in_catalog",))[0]
        if row["kind"] in FROM:
            before = night.inventory_truth(order[row["before_snapshot_id"]])
            assert before[key][0] == FROM[row["kind"]]


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", seeds([1], range(2, 40)))
async def test_nights_of_broken_listings_lose_nothing_and_are_silent_about_nothing(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P35: every key of each night's truth is known or said to be unknown."""
    monkeypatch.setattr("auditor.sandbox.answers.customers.LARGEST_PAGE", PAGE)
    rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
    async with nights(tmp_path, seed, size=TINY) as night:
        for number in range(1, 6):
            night.sandbox.faults = random_faults(night, rng)
            report = await night.run(number)
            assert all(each.published for each in report.snapshots)
            assert silent(night, number) == []
            truth = night.inventory_truth(number)
            for row in night.rows("SELECT * FROM latest_inventory WHERE NOT is_stale"):
                key = tuple(row[name] for name in INVENTORY_KEY)
                verdict, *_ = truth.get(key, ("not_in_catalog",))
                assert row["verdict"] == verdict or row["pending_verdict"], key
        night.sandbox.faults = Faults()
        report = await night.run(6)
        assert report.exit == 0
        assert_every_change_ends_in_the_truth(night)
        found, truth = night.inventory(), night.inventory_truth(6)
        both = found.keys() & truth.keys()
        assert {key: found[key] for key in both} == {key: truth[key] for key in both}
        assert {truth[key][0] for key in truth.keys() - both} <= {"not_in_catalog"}
        assert {found[key][0] for key in found.keys() - both} <= {"not_in_catalog"}
