"""Nights with the default `[cache]`, a day apart: reused listings make no result wrong."""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.run.forecast_run import forecast_run
from auditor.run.result import RunReport
from auditor.run.runtime import Runtime
from auditor.sandbox import Fault, Faults, WorldSize
from auditor.settings import Cache, Settings
from tests.builders.nightly import INVENTORY_KEY, Key, Night, Remaining, nights, seeds, ticking

FIRST = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
TINY = WorldSize(customers=8, products=3, regions=2, sizes_per_product=2, licence_products=3)
CHECKS = ("check_inventory", "customer_availabilities")
GONE = "not_in_catalog"


def cached(night: Night, cache: Cache | None = None) -> Settings:
    """Return the configuration with the default `[cache]`, or another one."""
    return msgspec.structs.replace(night.settings, cache=cache or Cache())


async def nightly(night: Night, when: int) -> RunReport:
    began = FIRST + (when - 1) * timedelta(days=1)
    return await night.run(when, settings=cached(night), began=began)


def discovery_calls(night: Night, when: int) -> Counter[str]:
    """Return the number of wave 1 calls of a night by endpoint, as the server counted them."""
    records = night.sandbox.log.of(night=when)
    return Counter(r.endpoint for r in records if r.endpoint not in CHECKS)


def listed_on(night: Night, when: int) -> set[str]:
    """Return the customers whose subscriptions were requested."""
    return {record.customer for record in night.sandbox.log.of("subscriptions", night=when)}


def assert_listed_customers_are_true(night: Night, when: int) -> None:
    """Compare with the truth, except `not_in_catalog`, which depends on earlier audits."""
    asked = listed_on(night, when)
    truth = {k: v for k, v in night.inventory_truth(when).items() if k[1] in asked}
    found = {k: v for k, v in night.inventory().items() if k[1] in asked}
    assert truth
    for key in truth.keys() | found.keys():
        if key in truth and key in found:
            assert found[key] == truth[key]
        else:
            assert (truth.get(key) or found[key])[0] == GONE


def assert_every_change_is_true(night: Night, report: RunReport, when: int) -> None:
    nights_of = {
        row["snapshot_id"]: row["business_date"].day - FIRST.day + 1
        for row in night.rows("SELECT snapshot_id, business_date FROM snapshot")
    }
    ids = ", ".join(f"'{s.snapshot_id}'" for s in report.snapshots)
    rows = night.rows(
        f"SELECT * FROM change WHERE subject = 'inventory' AND snapshot_id IN ({ids})"
    )
    for row in rows:
        key = tuple(row[name] for name in INVENTORY_KEY)
        after = night.inventory_truth(when)[key]
        assert row["verdict_after"] == after[0]
        if row["before_snapshot_id"]:
            # this subscription was not checked then: only the catalog can give this change
            earlier = night.inventory_truth(nights_of[row["before_snapshot_id"]])
            before = earlier.get(key, (GONE, "", ""))
            assert row["verdict_before"] == before[0]
            assert before != after


def assert_unlisted_customers_keep_their_keys(night: Night, before: set[Key], when: int) -> None:
    """Check also that a customer that left has no key any more."""
    here = {
        customer.customer_id
        for partner in night.world.partners()
        for customer in night.world.customers(partner, when)
    }
    asked = listed_on(night, when)
    sold_to = {
        customer.customer_id
        for partner in night.world.partners()
        for customer in night.world.customers(partner, when)
        if night.world.state(when).is_sold_to(customer)
    }
    found = night.inventory().keys()
    assert {key for key in before if key[1] in sold_to - asked} <= found
    assert {key[1] for key in found} <= here


def existing_for_three_nights(night: Night, when: int) -> list[Key]:
    """Return the keys of this night and the two before: no listing is reused for longer."""
    if when < 3:
        return []
    nights = [night.inventory_truth(past) for past in (when - 2, when - 1, when)]
    return [key for key in nights[-1] if all(key in n and n[key][0] != GONE for n in nights)]


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", seeds([3], [1, 4]))
async def test_listed_customers_match_the_truth_and_the_others_stay_as_they_were(
    seed: int, tmp_path: Path
) -> None:
    """Within the hours of `[cache]`, every change is found."""
    async with nights(tmp_path, seed) as night:
        before: set[Key] = set()
        for when in (1, 2, 3, 4):
            report = await nightly(night, when)
            assert_listed_customers_are_true(night, when)
            assert_every_change_is_true(night, report, when)
            assert_unlisted_customers_keep_their_keys(night, before, when)
            before = set(night.inventory())
            assert set(existing_for_three_nights(night, when)) <= before
        later = {c for when in (2, 3, 4) for c in listed_on(night, when)}
        asked = [listed_on(night, when) for when in (1, 2, 3, 4)]
        assert later >= asked[0] & {key[1] for key in night.inventory_truth(4)}
        assert all(len(some) < len(asked[0]) for some in asked[1:])


@pytest.mark.asyncio
async def test_a_second_night_sends_at_most_four_tenths_of_the_calls(tmp_path: Path) -> None:
    """The sandbox counts the calls; `[cache]` has its default."""
    size = WorldSize(customers=100, products=2, regions=2, sizes_per_product=1, licence_products=2)
    async with nights(tmp_path, 1, size=size) as night:
        for when in (1, 2, 3):
            await nightly(night, when)
        first, *later = (discovery_calls(night, when).total() for when in (1, 2, 3))
        assert all(calls <= 0.4 * first for calls in later)


@pytest.mark.asyncio
async def test_a_customer_that_left_is_gone_in_the_next_run(tmp_path: Path) -> None:
    """P5: the customer list is requested in every run."""
    async with nights(tmp_path, 3) as night:
        await nightly(night, 1)
        [leaver] = sorted({key[1] for key in night.inventory()})[:1]
        night.world.state(2).absent.add(leaver)
        await nightly(night, 2)
        assert leaver not in listed_on(night, 2)
        assert leaver not in {key[1] for key in night.inventory()}
        rows = night.rows(f"SELECT DISTINCT status FROM latest_cell WHERE customer_id = '{leaver}'")
        assert [row["status"] for row in rows] == ["left"]


@pytest.mark.asyncio
async def test_a_customer_that_cannot_be_listed_has_failed_coverage_and_keeps_its_keys(
    tmp_path: Path,
) -> None:
    """P2: with and without an earlier night on which it was listed."""
    async with nights(tmp_path, 3) as night:
        await nightly(night, 1)
        before = night.inventory()
        await night.run(1, settings=cached(night), began=FIRST + 24 * HOUR)
        due = min(listed_on(night, 1))
        night.sandbox.log.clear()
        night.sandbox.faults = Faults((Fault(endpoint="subscriptions", status=503),))
        await night.run(1, settings=cached(night), began=FIRST + 144 * HOUR)
        assert due in listed_on(night, 1)
        assert night.inventory() == before
        failed = night.rows(
            "SELECT DISTINCT customer_id FROM latest_cell WHERE status = 'failed' AND country <> ''"
        )
        assert {row["customer_id"] for row in failed} >= {key[1] for key in before}
        night.sandbox.faults = Faults()
        night.sandbox.log.clear()
        await night.run(1, settings=cached(night), began=FIRST + 145 * HOUR)
        assert listed_on(night, 1) >= {key[1] for key in before}, "the listing stays due"
        assert night.inventory() == before


# An unchanged world --------------------------------------------------------------------------

DESCRIBING = ("customer", "azure_subscription", "commerce_subscription", "sku")


def state_of(night: Night) -> list[object]:
    """Return everything that is known, without times."""
    described = [
        sorted(
            str({k: v for k, v in row.items() if k != "snapshot_id"})
            for row in night.rows(f"SELECT * FROM current_{relation}")
        )
        for relation in DESCRIBING
    ]
    return [night.inventory(), night.availability(), *described]


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", seeds([1], [2, 3, 4]))
async def test_in_an_unchanged_world_many_runs_leave_the_same_rows_as_one(
    seed: int, tmp_path: Path
) -> None:
    """No run reports a change, whichever listings it requests again."""
    rng = random.Random(seed)  # noqa: S311 - a repeatable sequence
    caches = (Cache(), Cache(subscriptions=30, catalog=40, billing_country=50), Cache(catalog=0))
    async with nights(tmp_path, seed, size=TINY) as night:
        await night.run(1, began=FIRST)
        once = state_of(night)
        customers = sorted({key[1] for key in night.inventory()})
        countries = sorted({key[2] for key in night.inventory()})
        began = FIRST
        for _ in range(5):
            began += rng.choice([1, 5, 21, 24, 26, 48, 73, 800]) * HOUR
            one = {"customers": (rng.choice(customers),)}
            narrow: dict[str, Any] = rng.choice(  # as `Night.run`
                [{}, {}, {}, one, {"countries": (rng.choice(countries),)}]
            )
            settings = cached(night, rng.choice(caches))
            report = await night.run(1, settings=settings, began=began, **narrow)
            assert report.exit == 0
            assert {kind for s in report.snapshots for kind in s.changes} == set()
            assert state_of(night) == once


# Runs on demand, and the forecast - --------------------------------------------------------


@pytest.mark.asyncio
async def test_a_named_customer_is_listed_again_and_a_fresh_catalog_is_reused(
    tmp_path: Path,
) -> None:
    async with nights(tmp_path, 3) as night:
        await nightly(night, 1)
        settings, chosen = cached(night), min(key[1] for key in night.inventory())
        for hours, catalog in ((6, set()), (21, {"products", "skus"})):
            night.sandbox.log.clear()
            began = FIRST + hours * HOUR
            await night.run(1, settings=settings, began=began, customers=(chosen,))
            records = night.sandbox.log.of()
            assert {r.customer for r in records if r.api_class == "customers"} <= {"", chosen}
            calls = {r.endpoint for r in records}
            assert {"customer", "subscriptions", "entitlements", "registration"} <= calls
            assert calls & {"products", "skus"} == catalog
            assert night.inventory() == night.inventory_truth(1)


@pytest.mark.asyncio
async def test_a_customer_listed_by_an_on_demand_run_is_not_listed_again_that_night(
    tmp_path: Path,
) -> None:
    async with nights(tmp_path, 3) as night:
        await nightly(night, 1)
        chosen = min(key[1] for key in night.inventory())
        settings = cached(night)
        began = FIRST + 73 * HOUR
        await night.run(1, settings=settings, began=began, customers=(chosen,))
        night.sandbox.log.clear()
        await night.run(1, settings=settings, began=began + HOUR / 60)
        assert chosen not in listed_on(night, 1)
        assert len(listed_on(night, 1)) > 10


@pytest.mark.asyncio
async def test_a_cached_listing_drops_nothing_that_an_on_demand_run_has_found_since(
    tmp_path: Path,
) -> None:
    """P9: the on-demand run has the older answers and the newer listing."""
    released = asyncio.Event()

    async def hold(_: float) -> None:
        await released.wait()

    async with nights(tmp_path, 3, sleep=hold) as night:
        owner, azure = next(night.world.state(1).audited_azure())
        night.world.state(1).statuses[azure.azure_subscription_id] = "suspended"
        await nightly(night, 1)
        del night.world.state(1).statuses[azure.azure_subscription_id]
        slow = next(key for key in night.availability() if key[1] != owner.customer_id)
        night.sandbox.faults = Faults(
            (Fault(endpoint="customer_availabilities", customer=slow[1], delay_s=1.0),)
        )
        night.sandbox.log.clear()
        held = len({key[:5] for key in night.availability() if key[1] == slow[1]})
        remaining, began = Remaining(len(night.settings.partner)), FIRST + HOUR
        later = asyncio.create_task(
            night.run(1, settings=cached(night), progress=remaining, began=began)
        )
        await remaining.only(held)
        assert owner.customer_id not in listed_on(night, 1)
        await night.run(
            1, settings=cached(night), began=began - HOUR / 60, customers=(owner.customer_id,)
        )
        released.set()
        await later
        assert azure.azure_subscription_id in {key[3] for key in night.inventory()}
        assert night.inventory() == night.inventory_truth(1)


@pytest.mark.asyncio
async def test_listings_that_new_settings_need_are_requested_at_once(tmp_path: Path) -> None:
    """Registrations and a view that were not listed before are requested in the next run."""
    async with nights(tmp_path, 4) as night:
        unchecked = night.scoped(check_registration=False, target_views=())
        await night.run(1, settings=msgspec.structs.replace(unchecked, cache=Cache()), began=FIRST)
        assert night.sandbox.log.of("registration", "products") == []
        await night.run(1, settings=cached(night), began=FIRST + HOUR)
        assert night.inventory() == night.inventory_truth(1)


@pytest.mark.asyncio
async def test_the_plan_counts_the_calls_that_a_run_makes(tmp_path: Path) -> None:
    async with nights(tmp_path, 3) as night:
        await nightly(night, 1)
        runtime = Runtime(environ=night.environ, now=ticking(FIRST + 24 * HOUR))
        forecast = await forecast_run(cached(night), runtime=runtime)
        night.sandbox.log.clear()
        await night.run(1, settings=cached(night), began=FIRST + 24 * HOUR)
        calls = sum(line.calls for line in forecast.lines if line.wave == 1)
        assert calls == discovery_calls(night, 1).total()
        assert {"subscriptions", "skus"} <= discovery_calls(night, 1).keys()
