"""P9: a run for some customers publishes in the middle of a night, and nothing older replaces it.

The night asks the customers first, then the world changes, then the other run asks and publishes,
then the night publishes.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.run.result import RunReport
from auditor.sandbox import Fault, Faults
from auditor.sandbox.world.model import Restriction
from tests.builders.nightly import SMALL, Night, Remaining, nights

ONE_PARTNER = dataclasses.replace(SMALL, partners=1)
IN_BOTH = ["folder", pytest.param("database", marks=pytest.mark.timeout(400))]
BEGAN = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
LATER = BEGAN + timedelta(hours=1)
SHUT = (Restriction("NotAvailableForSubscription", ()),)


@pytest.fixture
def where(request: pytest.FixtureRequest) -> str:
    """Return the URL of the store: of a database, or `''` for the folder."""
    url: str = request.getfixturevalue("store_url") if request.param == "database" else ""
    return url


class Crossing:
    """A night, and customers of it that have an Azure subscription and a licence to change."""

    def __init__(self, night: Night) -> None:
        self.night = night
        self.state = night.world.state(1)
        self.azure: dict[str, str] = {}
        for customer, azure in self.state.audited_azure():
            self.azure.setdefault(customer.customer_id, azure.azure_subscription_id)
        licensed = {customer.customer_id for customer, _ in self.state.held_licences()}
        *self.chosen, self.held = sorted(self.azure.keys() & licensed)

    def restrict(self, customer_id: str) -> None:
        """Reverse the answers for the first SKUs of the customer's Azure subscription."""
        name = self.azure[customer_id]
        now = dict(self.state.restrictions.get(name, {}))
        skus = sorted(
            key for key, sku in self.night.world.portfolio.sku_by_key.items() if sku.asks_inventory
        )
        for key in skus[:3]:
            now[key] = () if now.get(key) else SHUT
        self.state.restrictions[name] = now

    def suspend(self, customer_id: str) -> None:
        """Suspend the customer's Azure subscription, and all its licences."""
        self.state.statuses[self.azure[customer_id]] = "suspended"
        for held in self.night.world.portfolio.customer_by_id[customer_id].subscriptions:
            if held.kind == "licence":
                self.state.statuses[held.commerce_subscription_id] = "suspended"


@asynccontextmanager
async def second_night(folder: Path, where: str) -> AsyncIterator[tuple[Crossing, asyncio.Event]]:
    """Yield the world after a first night, and the event that lets a held reply go."""
    released = asyncio.Event()

    async def hold(_: float) -> None:
        await released.wait()

    async with nights(folder, 3, size=ONE_PARTNER, sleep=hold, store=where) as night:
        yield Crossing(night), released


async def night_around(
    crossing: Crossing,
    released: asyncio.Event,
    *,
    chosen: tuple[str, ...],
    change: Callable[[], None],
) -> tuple[RunReport, RunReport]:
    """Return the report of the run over `chosen`, and of the night around it."""
    night = crossing.night
    slow = Fault(endpoint="customer_availabilities", customer=crossing.held, delay_s=1.0)
    night.sandbox.faults = Faults((slow,))
    remaining = Remaining(1)
    held = len({key[:5] for key in night.availability() if key[1] == crossing.held})
    nightly = asyncio.create_task(night.run(progress=remaining, began=BEGAN))
    await remaining.only(held)
    change()
    inside = await night.run(customers=chosen, began=LATER)
    released.set()
    return inside, await nightly


@pytest.mark.asyncio
@pytest.mark.parametrize("where", IN_BOTH, indirect=True)
async def test_a_night_puts_nothing_older_over_what_another_run_published(
    where: str, tmp_path: Path
) -> None:
    """Neither older answers, nor older listings: of customers, Azure subscriptions, licences."""
    async with second_night(tmp_path, where) as (crossing, released):
        night, state = crossing.night, crossing.state
        chosen = changed, back, gone, new, suspended, *_ = crossing.chosen[:5]
        state.absent.add(new)
        await night.run(1, began=BEGAN - timedelta(days=1))
        state.absent.add(back)
        before = night.inventory()

        def change() -> None:
            state.absent.difference_update({back, new})
            state.absent.add(gone)
            crossing.restrict(changed)
            crossing.suspend(suspended)

        inside, nightly = await night_around(
            crossing, released, chosen=tuple(chosen), change=change
        )
        assert (inside.exit, nightly.exit) == (0, 0)
        assert night.inventory() == night.inventory_truth(1)
        assert night.availability() == night.availability_truth(1)
        assert {c: sum(k[1] == c for k in before) > 0 for c in chosen} == {
            changed: True,
            back: True,
            gone: True,
            new: False,
            suspended: True,
        }
        customers = {row["customer_id"] for row in night.store.arrow("latest_customer").to_pylist()}
        assert customers & set(chosen) == {changed, back, new, suspended}
        kinds = nightly.snapshots[0].changes, inside.snapshots[0].changes
        assert kinds[0] == {}
        assert set(kinds[1]) == {"newly_restricted"}
