"""Runs against the sandbox, night by night, and the resulting rows of the store."""

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from auditor.partner_center.breaker import Patience
from auditor.progress import Progress, Silent
from auditor.run.result import RunReport
from auditor.run.run import audit
from auditor.run.runtime import Runtime
from auditor.sandbox import Faults, Sandbox, World, WorldSize, config_text, environment_token
from auditor.settings import Narrow, Settings, load
from auditor.store import open_store
from auditor.store.folder.store import BUCKETS, FolderStore
from auditor.store.interface import Store

SMALL = WorldSize(customers=14, products=4, regions=3, sizes_per_product=2, licence_products=6)
INVENTORY_KEY = (
    "partner_tenant_id",
    "customer_id",
    "country",
    "azure_subscription_id",
    "arm_region",
    "reservation_scope",
    "product_id",
    "sku_id",
)
AVAILABILITY_KEY = (
    "partner_tenant_id",
    "customer_id",
    "country",
    "product_id",
    "sku_id",
    "segment",
    "reservation_scope",
    "term_duration",
    "billing_cycle",
)
OF_SEED = (2, 1, BUCKETS, 3, 2)
"""Buckets of a folder store, by seed. Each writes ten files a night: 16 take half of the time."""
IS_SOAK = "SOAK" in os.environ
Row = Mapping[str, Any]
Key = tuple[str, ...]
T = TypeVar("T")


class Night:
    """A sandbox, a configuration for it, and the store that its runs fill."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.world = sandbox.world
        path = folder / "auditor.toml"
        path.write_text(config_text(self.world, sandbox.base_url, environment_token))
        self.environ = {
            environment_token(partner).removeprefix("env:"): partner.token
            for partner in self.world.partners()
        }
        self.settings = load(path, self.environ, asking=Narrow())

    def scoped(self, **scope: object) -> Settings:
        """Return the configuration with another scope."""
        return msgspec.structs.replace(
            self.settings, scope=msgspec.structs.replace(self.settings.scope, **scope)
        )

    async def run(
        self,
        night: int | None = None,
        *,
        settings: Settings | None = None,
        progress: Progress | None = None,
        began: datetime | None = None,
        database_s: float = 60.0,
        **narrow: Any,
    ) -> RunReport:
        """Run on a night (default: the current one), at the present time or from `began` on."""
        if night is not None:
            self.world.night = night
        # these servers fail always or never, so waiting for one to recover is pointless
        runtime = Runtime(
            environ=self.environ, patience=Patience(outage_s=0), database_s=database_s
        )
        if began is not None:
            runtime = msgspec.structs.replace(runtime, now=ticking(began))
        return await audit(settings or self.settings, Narrow(**narrow), progress, runtime=runtime)

    @property
    def store(self) -> Store:
        return open_store(self.settings.store)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query over the store; open only the relations it reads."""
        with self.store.connect(query=query) as con:
            found: list[dict[str, Any]] = con.sql(query).to_arrow_table().to_pylist()
        return found

    def inventory(self) -> dict[Key, tuple[str, str, str]]:
        return inventory_of(self.store.arrow("latest_inventory").to_pylist())

    def availability(self) -> dict[Key, tuple[tuple[str, ...], ...]]:
        return availability_of(self.store.arrow("latest_availability").to_pylist())

    def inventory_truth(self, night: int) -> dict[Key, tuple[str, str, str]]:
        return inventory_of(self.world.inventory_truth(night, since=1))

    def availability_truth(self, night: int) -> dict[Key, tuple[tuple[str, ...], ...]]:
        return availability_of(self.world.availability_truth(night, since=1))


def seeds(few: Iterable[T], more: Iterable[T]) -> list[T]:
    """Return the seeds or cases to test: `few`, and under `make soak-truth` also `more`."""
    return [*few, *(more if IS_SOAK else ())]


def examples(few: int) -> int:
    """Return how many examples a property is tried with: ten times as many in a soak."""
    return 10 * few if IS_SOAK else few


def ticking(began: datetime) -> Callable[[], datetime]:
    """Return a clock that advances a millisecond with each reading."""
    ticks = itertools.count()
    return lambda: began + timedelta(milliseconds=next(ticks))


class Remaining(Silent):
    """Counts the unanswered checks of wave 2, over all partners."""

    def __init__(self, partners: int) -> None:
        self.open = 0
        self._not_checking = partners
        self._is_checking: set[str] = set()

    def phase(self, partner: str, name: str, total: int | None = None) -> None:
        if name == "checking":
            self._not_checking -= 1
            self._is_checking.add(partner)
            self.open += total or 0

    def step(self, partner: str, done: int = 1, failed: int = 0) -> None:
        del failed
        if partner in self._is_checking:
            self.open -= done

    async def only(self, count: int) -> None:
        """Wait until at most `count` checks are open."""
        while self._not_checking or self.open > count:  # noqa: ASYNC110 - progress is synchronous
            await asyncio.sleep(0)


@asynccontextmanager
async def nights(
    folder: Path,
    seed: int,
    *,
    size: WorldSize = SMALL,
    faults: Faults | None = None,
    store: str = "",
    **sandbox: Any,
) -> AsyncIterator[Night]:
    """Open a sandbox and a configuration for it; the store is a folder unless `store` is given."""
    async with Sandbox(World(seed, size), faults=faults, **sandbox) as running:
        night = Night(running, folder)
        if store:
            night.settings = msgspec.structs.replace(night.settings, store=store)
        else:
            FolderStore.open(
                night.settings.store, create=True, buckets=OF_SEED[seed % len(OF_SEED)]
            )
        yield night


def inventory_of(rows: Iterable[Row]) -> dict[Key, tuple[str, str, str]]:
    """Return verdict, codes and values by key; codes and values in lower case."""
    return {
        tuple(row[name] for name in INVENTORY_KEY): (
            row["verdict"],
            row["reason_codes"].lower(),
            row["restriction_values"].lower(),
        )
        for row in rows
    }


def availability_of(rows: Iterable[Row]) -> dict[Key, tuple[tuple[str, ...], ...]]:
    """Return verdict and content of each key, without ordinals: they are ranks of the content."""
    found: dict[Key, list[tuple[str, ...]]] = {}
    for row in rows:
        content: tuple[str, ...] = (row["verdict"],)
        if row["verdict"] != "not_in_catalog":
            content = (*content, str(row["is_renewable"]), row["renew_to"], row["currency"])
        found.setdefault(tuple(row[name] for name in AVAILABILITY_KEY), []).append(content)
    # for several offers that are gone, the truth has only one row
    return {
        key: tuple(sorted(c for c in offers if c != ("not_in_catalog",))) or (("not_in_catalog",),)
        for key, offers in found.items()
    }


def kinds_of(rows: Iterable[Row]) -> Counter[tuple[str, str]]:
    """Count changes by subject and kind."""
    return Counter((row["subject"], row["kind"]) for row in rows)
