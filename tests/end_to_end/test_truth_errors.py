"""The truth over four nights in which every documented error occurs, in two sizes of the world.

Errors that are answers (such as a 404 for a product) would contradict the sandbox's truth. They are
left out here; `test_error_walk.py` tests them.
"""

import math
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from auditor.errors import Does
from auditor.partner_center.error_table import steps
from auditor.sandbox import Fault, Faults, ServerLimits, WorldSize
from auditor.settings import Settings
from tests.builders.error_walking import SENDS, TIMEOUT, fault, rows_of
from tests.builders.nightly import IS_SOAK, Night, nights, seeds
from tests.end_to_end.test_truth import (
    NIGHTS,
    Oracle,
    assert_availability_is_true,
    assert_found_is_true,
    published_changes,
)

CHECKS = (
    "check_inventory",
    "check_inventory_by_resource_type",
    "list_availabilities",
    "list_customer_availabilities",
)
ANSWERS = {
    Does.LEFT,
    Does.ENDED,
    Does.LEFT_CATALOG,
    Does.NOT_IN_CATALOG,
    Does.PARTNER_OUT,
    Does.MOVED,
}
PAGE = 500
CUSTOMERS = 5000 if IS_SOAK else 150
"""In a soak, the customers fill ten pages."""
SHARE = 1 / 60
"""Each error comes to this share of the questions."""


def documented(endpoints: tuple[str, ...], share: float, night: tuple[int, ...]) -> list[Fault]:
    """Return faults that give each documented error to a share of the questions."""
    return [
        msgspec.structs.replace(fault(endpoint, status, code), share=share, night=night)
        for endpoint in endpoints
        for status, code in rows_of(endpoint)
        if code != TIMEOUT and not ANSWERS.intersection(steps(endpoint, status, code))
    ]


def quick(faults: list[Fault]) -> list[Fault]:
    """Return the same faults, but each 429 has Retry-After 0 and is drawn again for each try."""
    return [
        msgspec.structs.replace(f, headers={"Retry-After": "0"}, share=1.0, share_per_try=f.share)
        if f.status == 429
        else f
        for f in faults
    ]


def unlimited(settings: Settings) -> Settings:
    """Return the configuration with limits that no run reaches."""
    limits = {"customers": 10**6, "catalog": 10**6, "inventory": 10**6, "per_customer": 10**6}
    partners = tuple(
        msgspec.structs.replace(p, limits=msgspec.structs.replace(p.limits, **limits))
        for p in settings.partner
    )
    return msgspec.structs.replace(settings, partner=partners)


def statuses(night: Night, when: int) -> Counter[int]:
    return Counter(r.status for r in night.sandbox.log.records if r.night == when and r.fault)


@pytest.mark.asyncio
@pytest.mark.timeout(900)
async def test_paged_customers_every_error_and_both_apis(tmp_path: Path) -> None:
    """P2, P3: three nights of errors, the first API retired for the last two."""
    size = WorldSize(
        partners=1,
        customers=CUSTOMERS,
        products=3,
        regions=2,
        sizes_per_product=1,
        licence_products=4,
    )
    retired = Fault(endpoint="check_inventory", status=410, night=(3, 4))
    faults = Faults([retired, *quick(documented(CHECKS, SHARE, (1, 2, 3)))], seed=11)
    no_limits = ServerLimits(per_partner={}, per_customer={})
    async with nights(tmp_path, 11, size=size, faults=faults, limits=no_limits) as night:
        settings = unlimited(night.settings)
        oracle = Oracle(night)
        for when in NIGHTS:
            report = await night.run(when, settings=settings)
            expected = oracle.after(when)
            assert night.inventory() == oracle.known
            snapshots = [s.snapshot_id for s in report.snapshots]
            assert published_changes(night, snapshots, "inventory") == expected
            [partner] = night.world.partners()
            pages = night.sandbox.log.of("customers", night=when)
            assert len(pages) == math.ceil(len(night.world.customers(partner, when)) / PAGE)
            if when < max(NIGHTS):
                assert len(statuses(night, when)) > 15
        assert_found_is_true(night.inventory(), night.inventory_truth(4))
        assert_availability_is_true(night)


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", seeds([1], [2]))
async def test_after_nights_of_every_error_in_discovery_a_whole_night_finds_the_truth(
    seed: int, tmp_path: Path
) -> None:
    discovery = tuple(set(SENDS) - set(CHECKS) - {"list_customers"})
    faults = Faults(quick(documented(discovery, 0.01, (2, 3))), seed=seed)
    async with nights(tmp_path, seed, faults=faults) as night:
        for when in NIGHTS:
            await night.run(when)
            assert when in {1, 4} or statuses(night, when)
        truth, found = night.inventory_truth(4), night.inventory()
        both = found.keys() & truth.keys()
        assert_found_is_true({key: found[key] for key in both}, truth)
        assert {found[key][0] for key in found.keys() - both} <= {"not_in_catalog"}
        for row in night.rows("SELECT * FROM change WHERE subject = 'inventory'"):
            assert row["verdict_before"] != row["verdict_after"] or row["kind"].endswith("changed")
