"""P35: a listing that fails is an unanswered question, from the first night on."""

import json
from pathlib import Path

import msgspec
import pytest

from auditor.run.forecast_run import forecast_run
from auditor.run.result import RunReport
from auditor.run.runtime import Runtime
from auditor.sandbox import Fault, Faults
from auditor.sandbox.answers.shapes import customer_item
from auditor.settings.values import Cache
from auditor.store import open_store
from auditor.store.interface import Store
from tests.builders.broken_listings import (
    ACTIONS,
    LISTS,
    OUT,
    PAGE,
    PAGE_SIZE,
    SINGLE,
    TINY,
    problems_of_nights,
    silent,
)
from tests.builders.nightly import IS_SOAK, Night, nights, seeds

SEED = 1
NEXT = {
    "uri": "/customers?size=500&seekOperation=Next",
    "method": "GET",
    "headers": [{"key": "MS-ContinuationToken", "value": "same"}],
}
ELSEWHERE = {
    "body": json.dumps(
        {"totalCount": 0, "items": [], "links": {"next": {**NEXT, "uri": "/v1//v1/customers"}}}
    )
}
CASES = [
    *((listing, name) for listing in LISTS for name in ACTIONS if (listing, name) not in OUT),
    *((listing, name) for listing in SINGLE for name in ACTIONS if name != "short"),
    ("customers", "loop"),
    ("customers", "elsewhere"),
]
FEW = [
    *((listing, "503") for listing in (*LISTS, *SINGLE)),
    ("customers", "cut"),
    ("customers", "short"),
    ("customers", "loop"),
    ("customers", "elsewhere"),
    ("entitlements", "403"),
    ("entitlements", "204"),
    ("products", "empty"),
]
"""What the suite runs; `make soak-truth` runs all of `CASES`."""
ONCE = [("customers", "short"), ("entitlements", "503"), ("skus", "503")]


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
    monkeypatch.setattr(PAGE_SIZE, PAGE)
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
    monkeypatch.setattr(PAGE_SIZE, PAGE)
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
        monkeypatch.setattr(PAGE_SIZE, PAGE)
        night.sandbox.faults = fault(night, "customers", "503")
        report = await night.run(1)
        assert_said(night, report, partner.name)
        assert silent(night, 1) == []


@pytest.mark.asyncio
async def test_a_plan_says_what_it_could_not_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P35."""
    monkeypatch.setattr(PAGE_SIZE, PAGE)
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
    monkeypatch.setattr(PAGE_SIZE, PAGE)
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


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", seeds([1], range(2, 40)))
async def test_nights_of_broken_listings_lose_nothing_and_are_silent_about_nothing(
    seed: int, tmp_path: Path
) -> None:
    """P35: every key of each night's truth is known or said to be unknown."""
    assert await problems_of_nights(seed, tmp_path) == []
