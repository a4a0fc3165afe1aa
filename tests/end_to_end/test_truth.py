"""The store equals the sandbox's truth, night after night."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from auditor.sandbox import Fault, Faults
from auditor.sandbox.answers.calls import ENDPOINT_NAMES
from auditor.settings import Settings
from tests.builders.nightly import (
    INVENTORY_KEY,
    IS_SOAK,
    Key,
    Night,
    Remaining,
    Row,
    inventory_of,
    nights,
    seeds,
)

SEEDS = seeds([2], [1, 3, 4, *range(5, 11)])
IN_BOTH = [
    *((seed, "folder") for seed in SEEDS),
    pytest.param(1, "database", marks=pytest.mark.timeout(400)),
]
NIGHTS = (1, 2, 3, 4)
FEWER = NIGHTS if IS_SOAK else (1, 2)
"""Nights for what differs from the usual run in one respect alone."""
AFTER_THE_LIST = tuple(ENDPOINT_NAMES - {"customers"})
CHECKS = ("check_inventory", "customer_availabilities")
TRANSITIONS = {
    ("unrestricted", "restricted"): "newly_restricted",
    ("restricted", "unrestricted"): "restriction_lifted",
    ("purchasable", "not_purchasable"): "no_longer_purchasable",
    ("not_purchasable", "purchasable"): "purchasable_again",
}


@pytest.fixture
def where(request: pytest.FixtureRequest) -> str:
    """Return the URL of the store: of a database, or `''` for the folder."""
    url: str = request.getfixturevalue("store_url") if request.param == "database" else ""
    return url


def transition(before: tuple[str, ...], after: tuple[str, ...]) -> str | None:
    """Return the kind of a change between two known states: promise P4, implemented again here."""
    if before == after:
        return None
    if before[0] == after[0]:
        return "restriction_changed" if after[0] == "restricted" else None
    if after[0] == "not_in_catalog":
        return "left_catalog"
    if before[0] == "not_in_catalog":
        return "entered_catalog"
    return TRANSITIONS[before[0], after[0]]


def listed(night: Night, when: int) -> tuple[set[str], set[Key]]:
    """Return the Azure subscriptions and the (partner, country, product, SKU) listed on a night."""
    world = night.world
    azure = {
        subscription.azure_subscription_id
        for partner in world.partners()
        for customer in world.customers(partner, when)
        for subscription in world.azure_subscriptions(customer.customer_id, when)
    }
    skus: set[Key] = {
        (partner.partner_tenant_id, country, sku.product_id, sku.sku_id)
        for partner in world.partners()
        for country in partner.countries
        for sku in world.skus(when, partner.partner_tenant_id, country, "AzurePlan")
    }
    return azure, skus


class Oracle:
    """Computes the expected state from each night's truth and the server's delivered replies."""

    def __init__(self, night: Night) -> None:
        self.night = night
        self.known: dict[Key, tuple[str, ...]] = {}
        self.by_catalog: set[Key] = set()
        self.seen: tuple[set[str], set[Key]] = (set(), set())
        self.customers: set[str] = set()
        self.waiting: set[Key] = set()

    def after(self, when: int) -> set[tuple[str, ...]]:
        """Apply a night; return its inventory changes as (kind, *key)."""
        truth = self.night.inventory_truth(when)
        azure, skus = listed(self.night, when)
        customers = {
            c.customer_id
            for p in self.night.world.partners()
            for c in self.night.world.customers(p, when)
        }
        delivered = self._delivered(when)
        changes: set[tuple[str, ...]] = set()
        for key in [k for k in self.known if k not in truth]:
            del self.known[key]  # left, ended or inactive: dropped without a change
        self.waiting &= truth.keys()  # a key that returns is a new baseline
        for key, now in truth.items():
            partner, customer, country, subscription, _, _, *sku = key
            in_catalog = (partner, country, *sku) in skus
            before = self.known.get(key)
            if not in_catalog:
                if before is not None and before[0] != "not_in_catalog":
                    self.known[key] = now
                    self.by_catalog.add(key)
                continue
            is_new = customer in self.customers and (
                subscription not in self.seen[0] or (partner, country, *sku) not in self.seen[1]
            )
            if key not in delivered:
                if before is None and is_new:
                    self.waiting.add(key)
                continue
            kind = self._kind(key, before, now, is_new=is_new)
            if kind:
                changes.add((kind, *key))
            self.known[key] = now
            self.by_catalog.discard(key)
            self.waiting.discard(key)
        self.customers = customers
        self.seen = (self.seen[0] | azure, self.seen[1] | skus)
        return changes

    def _kind(
        self, key: Key, before: tuple[str, ...] | None, now: tuple[str, ...], *, is_new: bool
    ) -> str | None:
        if before is None:
            is_news = now[0] == "restricted" and (is_new or key in self.waiting)
            return "first_seen_restricted" if is_news else None
        if key in self.by_catalog and now[0] != "restricted":
            return None
        return transition(before, now)

    def _delivered(self, when: int) -> set[Key]:
        """Return the keys of all checks of a night whose reply was sent whole."""
        asked: set[tuple[str, ...]] = set()
        log = self.night.sandbox.log
        for record in (
            *log.of("check_inventory", night=when),
            *log.of("by_resource_type", night=when),
        ):
            if record.delivered is None:
                continue
            subscription = record.context["azureSubscriptionId"].lower()
            for product_id, sku_id in record.targets:
                asked.add((record.customer, subscription, product_id, sku_id))
        return {
            key
            for key in self.night.inventory_truth(when)
            if (key[1], key[3], key[6], "") in asked or (key[1], key[3], key[6], key[7]) in asked
        }


def published_changes(night: Night, snapshots: list[str], subject: str) -> set[tuple[str, ...]]:
    """Return the changes of these snapshots, as (kind, *key)."""
    ids = ", ".join(f"'{snapshot}'" for snapshot in snapshots)
    rows = night.rows(
        f"SELECT * FROM change WHERE snapshot_id IN ({ids}) AND subject = '{subject}'"
    )
    return {(row["kind"], *(row[name] for name in INVENTORY_KEY)) for row in rows}


@pytest.mark.asyncio
@pytest.mark.parametrize(("seed", "where"), IN_BOTH, indirect=["where"])
async def test_latest_and_changes_equal_the_truth_over_four_nights(
    seed: int, where: str, tmp_path: Path
) -> None:
    async with nights(tmp_path, seed, store=where) as night:
        await nights_of_truth(night)


async def nights_of_truth(
    night: Night, settings: Settings | None = None, whens: Iterable[int] = NIGHTS
) -> None:
    """Run these nights, and compare all rows and all changes of each with the truth."""
    oracle = Oracle(night)
    for when in whens:
        report = await night.run(when, settings=settings)
        expected = oracle.after(when)
        assert report.exit == 0
        assert night.inventory() == night.inventory_truth(when)
        assert night.availability() == night.availability_truth(when)
        snapshots = [s.snapshot_id for s in report.snapshots]
        assert published_changes(night, snapshots, "inventory") == expected
        assert catalog_changes(night, snapshots) == expected_catalog_changes(night, when)


def catalog_changes(night: Night, snapshots: list[str]) -> set[tuple[str, ...]]:
    ids = ", ".join(f"'{snapshot}'" for snapshot in snapshots)
    rows = night.rows(f"SELECT * FROM change WHERE snapshot_id IN ({ids}) AND subject = 'catalog'")
    columns = ("kind", "partner_tenant_id", "country", "product_id", "sku_id")
    return {tuple(row[name] for name in columns) for row in rows}


def expected_catalog_changes(night: Night, when: int) -> set[tuple[str, ...]]:
    """Return one change per SKU that left or returned, or per product if all its SKUs did."""
    if when == 1:
        return set()
    now = listed(night, when)[1]
    before = listed(night, when - 1)[1]
    ever = set().union(*(listed(night, past)[1] for past in range(1, when)))

    def gathered(kind: str, skus: set[tuple[str, ...]], others: set[tuple[str, ...]]) -> set[Key]:
        kept = {sku[:3] for sku in others}
        return {(kind, *sku[:3], sku[3] if sku[:3] in kept else "") for sku in skus}

    return gathered("left_catalog", before - now, now) | gathered(
        "entered_catalog", (now - before) & ever, before
    )


@pytest.mark.asyncio
@pytest.mark.parametrize(("seed", "where"), IN_BOTH, indirect=["where"])
async def test_with_a_third_of_the_checks_failing_each_change_is_reported_once_at_its_first_answer(
    seed: int, where: str, tmp_path: Path
) -> None:
    """P2, P3: a failed check makes no change; an answer is compared with the last known state."""
    faults = Faults(
        (
            Fault(endpoint=CHECKS, share=0.12, status=503, night=(1, 2, 3)),
            Fault(endpoint=CHECKS, share=0.12, cut=True, night=(1, 2, 3)),
            Fault(endpoint=CHECKS, share=0.12, body="<html>busy</html>", night=(1, 2, 3)),
            Fault(share_per_try=0.02, status=429, headers={"Retry-After": "0"}),
        ),
        seed=seed,
    )
    async with nights(tmp_path, seed, faults=faults, store=where) as night:
        oracle = Oracle(night)
        for when in NIGHTS:
            report = await night.run(when)
            expected = oracle.after(when)
            snapshots = [s.snapshot_id for s in report.snapshots]
            assert night.inventory() == oracle.known
            assert published_changes(night, snapshots, "inventory") == expected
        assert_found_is_true(night.inventory(), night.inventory_truth(4))
        assert_availability_is_true(night)
        assert_every_change_is_true_on_its_nights(night)


def assert_every_change_is_true_on_its_nights(night: Night) -> None:
    """Compare each inventory change with the truth of the nights it names."""
    order = {
        row["snapshot_id"]: place
        for partner in night.world.partners()
        for place, row in enumerate(
            night.rows(
                "SELECT snapshot_id FROM snapshot WHERE partner_tenant_id ="
                f" '{partner.partner_tenant_id}' ORDER BY sequence"
            ),
            start=1,
        )
    }
    for row in night.rows("SELECT * FROM change WHERE subject = 'inventory'"):
        key = tuple(row[name] for name in INVENTORY_KEY)
        after = night.inventory_truth(order[row["snapshot_id"]])[key]
        assert row["verdict_after"] == after[0]
        assert row["after_at"] is not None
        if row["before_snapshot_id"]:
            before_night = order[row["before_snapshot_id"]]
            assert row["gap_snapshots"] == order[row["snapshot_id"]] - before_night - 1
            before = night.inventory_truth(before_night).get(key)
            assert before is not None
            assert row["verdict_before"] == before[0]


@pytest.mark.asyncio
async def test_failures_on_an_unchanged_world_show_no_change_and_one_real_change_shows_once(
    tmp_path: Path,
) -> None:
    """A third of all calls fails, including discovery: no change is invented and none is lost."""
    flaky = Faults(
        (
            Fault(endpoint=AFTER_THE_LIST, share=0.3, status=500),
            Fault(endpoint=AFTER_THE_LIST, share=0.05, reset=True),
        ),
        seed=7,
    )
    async with nights(tmp_path, 3) as night:
        await night.run(1)
        night.sandbox.faults = flaky
        for _ in range(2):
            report = await night.run(1)
            assert sum(sum(s.changes.values()) for s in report.snapshots) == 0
            assert night.inventory().keys() == night.inventory_truth(1).keys()
        night.sandbox.faults = Faults()
        report = await night.run(1)
        assert report.exit == 0
        assert sum(sum(s.changes.values()) for s in report.snapshots) == 0
        assert night.inventory() == night.inventory_truth(1)


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", seeds([1], [2, 3]))
async def test_after_a_night_of_faults_everywhere_a_whole_night_finds_the_truth(
    seed: int, tmp_path: Path
) -> None:
    flaky = Faults(
        (
            Fault(endpoint=AFTER_THE_LIST, share=0.15, status=500),
            Fault(
                endpoint=("skus", "products", "subscriptions", "entitlements"),
                share=0.2,
                truncate=1,
            ),
            Fault(endpoint="customers", truncate=3),
        ),
        seed=seed,
    )
    async with nights(tmp_path, seed) as night:
        for when in (1, 2, 3, 4):
            night.sandbox.faults = Faults() if when in {1, 4} else flaky
            await night.run(when)
        truth = night.inventory_truth(4)
        found = night.inventory()
        both = found.keys() & truth.keys()
        assert_found_is_true({key: found[key] for key in both}, truth)
        # a key that appeared and left during failed nights is either gone or not known at all
        assert {found[key][0] for key in found.keys() - both} <= {"not_in_catalog"}


def assert_found_is_true(found: dict[Key, Any], truth: dict[Key, Any]) -> None:
    """Compare with the truth: a key that left before its first answer has no row."""
    assert found == {key: truth[key] for key in found}
    never_answered = {truth[key][0] for key in truth.keys() - found.keys()}
    assert never_answered <= {"not_in_catalog", ("not_in_catalog",)}


@pytest.mark.asyncio
@pytest.mark.parametrize(("seed", "where"), IN_BOTH, indirect=["where"])
async def test_an_on_demand_run_published_in_the_middle_of_a_nightly_one_is_not_lost(
    seed: int, where: str, tmp_path: Path
) -> None:
    """P5, P9: for each key, the answer to the later request wins."""
    released = asyncio.Event()

    async def hold(_: float) -> None:
        await released.wait()

    async with nights(tmp_path, seed, sleep=hold, store=where) as night:
        await night.run(1)
        customers = sorted({key[1] for key in night.inventory_truth(2)})
        chosen = next(
            c
            for c in customers
            if {k: v for k, v in night.inventory_truth(2).items() if k[1] == c}
            != {k: v for k, v in night.inventory_truth(3).items() if k[1] == c}
            and any(k[1] == c for k in night.inventory_truth(3))
        )
        licences = {key[:5] for key in night.availability_truth(2) if key[1] != chosen}
        products = Counter((key[1], key[3]) for key in licences)
        held, product = next(one for one, count in sorted(products.items()) if count == 1)
        slow = Fault(
            endpoint="customer_availabilities", customer=held, product=product, delay_s=1.0, night=2
        )
        night.sandbox.faults = Faults((slow,))
        night.world.night = 2
        remaining = Remaining(len(night.settings.partner))
        nightly = asyncio.create_task(night.run(progress=remaining))
        await remaining.only(1)
        report = await night.run(3, customers=(chosen,))
        released.set()
        await nightly
        assert [s.published for s in report.snapshots] == [True]
        found = night.inventory()
        for key, value in night.inventory_truth(3).items():
            if key[1] == chosen and value[0] != "not_in_catalog":
                assert found[key] == value
        others = {k: v for k, v in night.inventory_truth(2).items() if k[1] != chosen}
        assert {k: v for k, v in found.items() if k[1] != chosen} == others
        events = [row["event_id"] for row in night.rows("SELECT event_id FROM change")]
        assert len(events) == len(set(events))
        await night.run(3)
        assert night.inventory() == night.inventory_truth(3)


def test_rows_are_compared_by_value() -> None:
    """The comparison itself can fail: it finds a single flipped verdict."""
    row: Row = dict.fromkeys(INVENTORY_KEY, "x") | {
        "verdict": "restricted",
        "reason_codes": "A",
        "restriction_values": "",
    }
    assert inventory_of([row]) != inventory_of([{**row, "verdict": "unrestricted"}])


def assert_availability_is_true(night: Night) -> None:
    """Compare with the truth. A SKU that left before its first answer is one row without a term."""
    truth, found = night.availability_truth(4), night.availability()
    placeholders = {key for key in found if key not in truth}
    for *sku, segment, _, term, cycle in placeholders:
        of_sku = [state for key, state in truth.items() if key[:5] == tuple(sku)]
        assert (segment, term, cycle) == ("", "", "")
        assert of_sku
        assert {state[0] for state in of_sku} == {("not_in_catalog",)}
    terms = {key: state for key, state in found.items() if key not in placeholders}
    assert_found_is_true(terms, truth)
