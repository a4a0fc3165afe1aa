"""Computes what a very large portfolio needs, from what small ones need: see docs/scale.md.

It measures `auditor run` as a process of its own on small portfolios of the sandbox, some with few
SKUs and some with 12,000. What one more call and one more row cost is the difference between two of
them. From that it extrapolates to 50,000 customers with 3 Azure subscriptions each.

    python bench/scale.py      # some minutes; needs a PostgreSQL server's programs
"""

import argparse
import asyncio
import itertools
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import psycopg

sys.path[:0] = [str(Path(__file__).parents[1])]
from discovery import CHECKS, nights
from memory import Run, run
from postgres import Bench, publish

from auditor.journal.journal import Journal
from auditor.sandbox import Sandbox, World, WorldSize, config_text, environment_token
from auditor.sandbox.server.log import Record
from auditor.settings import Limits
from auditor.store.folder.store import FolderStore
from auditor.store.postgres.store import PostgresStore
from tests.builders.throwaway import Server, binaries

CUSTOMERS = 50_000
SUBSCRIPTIONS = 3
PRODUCTS = 40
SKUS = 300
FEW = {"products": 2, "sizes_per_product": 1, "regions": 1}
MANY = {"products": PRODUCTS, "sizes_per_product": SKUS // 12, "regions": 6}
"""A SKU for each size, region and one of two terms."""
QUOTA = 500
"""Calls a minute that Microsoft documents for customers and their subscriptions."""
KIB_OF_CUSTOMER = 45
MIB_OF_RUN = 350
"""Memory for each customer, and an estimate of the rest: see docs/scale.md."""
STAGED_OF_ROW = 63
"""Bytes on disk until the night is published: from `bench/rows.py`."""
KEYS_IN_POSTGRES = 200_000
ROWS = """
    SELECT (SELECT count(*) FROM current_inventory) AS rows,
    (SELECT count(DISTINCT azure_subscription_id) FROM current_inventory) AS subscriptions
"""


class Measured(NamedTuple):
    """A night of a small portfolio."""

    customers: int
    subscriptions: int
    """Azure subscriptions that were asked about."""
    calls: Counter[str]
    """By endpoint."""
    classes: Counter[str]
    """Calls of discovery, by limit."""
    rows: int
    received: int
    journaled: int
    stored: int
    run: Run

    @property
    def all_calls(self) -> int:
        return self.calls.total()

    @property
    def cpu_s(self) -> float:
        return self.run.cpu_seconds

    @property
    def inventory(self) -> int:
        return self.calls["check_inventory"]

    @property
    def availability(self) -> int:
        return self.calls["customer_availabilities"]

    @property
    def listing(self) -> int:
        """Calls about customers and their subscriptions."""
        return self.classes["customers"]


async def measure(customers: int, shape: Mapping[str, int]) -> list[Measured]:
    """Return the first and the second night of a portfolio."""
    world = World(1, WorldSize(partners=1, customers=customers, **shape))
    found = []
    with tempfile.TemporaryDirectory() as folder:
        async with Sandbox(world) as sandbox:
            environ = {environment_token(p).removeprefix("env:"): p.token for p in world.partners()}
            config = Path(folder) / "auditor.toml"
            text = config_text(world, sandbox.base_url, environment_token)
            config.write_text(f'{text}\n[run]\nkeep_raw = "all"\n')
            for night in (1, 2):
                world.night = night
                sandbox.log.clear()
                done = await asyncio.to_thread(run, config, environ)
                found.append(night_of(Path(folder), customers, sandbox.log.records, done))
    return found


def night_of(folder: Path, customers: int, records: list[Record], done: Run) -> Measured:
    """Return the figures of the newest run in a folder."""
    store = FolderStore.open(str(folder / "lake"))
    [row] = store.sql(ROWS).to_pylist()
    path = max(folder.glob("state/runs/*/*.journal"), key=lambda one: one.stat().st_mtime_ns)
    journal = Journal(path)
    received = sum(len(journal.read(key).body) for key in journal._index)  # noqa: SLF001 - its keys
    os.close(journal._file)  # noqa: SLF001 - to close it as usual takes an event loop
    newest = folder / "lake" / f"snapshot={store.published()[-1]}"
    return Measured(
        customers=customers,
        subscriptions=row["subscriptions"],
        calls=Counter(record.endpoint for record in records),
        classes=Counter(r.api_class for r in records if r.endpoint not in CHECKS),
        rows=row["rows"],
        received=received,
        journaled=path.stat().st_size,
        stored=sum(one.stat().st_size for one in newest.rglob("*") if one.is_file()),
        run=done,
    )


class Costs(NamedTuple):
    """What one more call, row, customer or Azure subscription costs."""

    cpu_s_of_call: float
    cpu_s_of_row: float
    received_of_call: float
    received_of_row: float
    journaled_of_call: float
    journaled_of_row: float
    stored_of_row: float
    inventory_of_subscription: float
    """Inventory calls for each Azure subscription."""
    availability_of_customer: float
    listing_of_customer: float
    """Calls of discovery for each customer on a first night."""
    catalog: float
    """Calls of discovery for the catalog, however many customers there are."""


def costs(few: list[Measured], many: list[Measured]) -> Costs:
    """Return the costs from two portfolios with few SKUs, and two with many."""

    def of(name: str) -> tuple[float, float]:
        of_call = _more(few, name) / _more(few, "all_calls")
        of_row = (_more(many, name) - of_call * _more(many, "all_calls")) / _more(many, "rows")
        return of_call, of_row

    customers = _more(few, "customers")
    return Costs(
        *of("cpu_s"),
        *of("received"),
        *of("journaled"),
        stored_of_row=_more(many, "stored") / _more(many, "rows"),
        inventory_of_subscription=_more(many, "inventory") / _more(many, "subscriptions"),
        availability_of_customer=_more(few, "availability") / customers,
        listing_of_customer=_more(few, "listing") / customers,
        catalog=many[0].classes["catalog"],
    )


def _more(two: list[Measured], name: str) -> float:
    """Return how much more of something the second portfolio has."""
    first, second = (getattr(night, name) for night in two)
    return float(second - first)


def later_share(customers: int) -> float:
    """Return the discovery calls about customers on later nights, compared with the first."""
    found = asyncio.run(nights(customers, 4, seed=1))
    listing = [
        sum(r.api_class == "customers" and r.endpoint not in CHECKS for r in night)
        for night in found
    ]
    return sum(listing[1:]) / len(listing[1:]) / listing[0]


def in_postgres() -> tuple[float, float]:
    """Return the bytes of a key after a first night, and those that a second night adds."""
    programs = binaries()
    assert programs is not None, "no PostgreSQL server is installed"
    server = Server(programs)
    server.start()
    try:
        url = Bench(programs, server.url).database()
        store = PostgresStore.open(url)
        sizes = [_size(url)]
        for night in (1, 2):
            publish(store, KEYS_IN_POSTGRES, night)
            sizes.append(_size(url))
    finally:
        server.stop()
    first, second = (b - a for a, b in itertools.pairwise(sizes))
    return first / KEYS_IN_POSTGRES, second / KEYS_IN_POSTGRES


def _size(url: str) -> int:
    with psycopg.connect(url.partition("?")[0], autocommit=True) as con:
        con.execute("VACUUM")
        row = con.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row is not None
    return int(row[0])


def needs(cost: Costs, share: float, partners: int, postgres: tuple[float, float]) -> list[str]:
    """Return what one of some partners needs, with this share of a first night's listings."""
    limits = Limits()
    customers = CUSTOMERS // partners
    subscriptions = customers * SUBSCRIPTIONS
    rows = subscriptions * PRODUCTS * SKUS
    listing = customers * cost.listing_of_customer * share
    inventory = subscriptions * cost.inventory_of_subscription
    availability = customers * cost.availability_of_customer
    calls = listing + cost.catalog + inventory + availability
    checking_h = max(inventory / limits.inventory, availability / limits.catalog) / 60

    def gigabytes(of_call: float, of_row: float) -> str:
        return f"{(calls * of_call + rows * of_row) / 1e9:,.1f}"

    return [
        f"{rows / 1e6:,.0f}",
        f"{listing:,.0f}",
        f"{cost.catalog:,.0f}",
        f"{availability:,.0f}",
        f"{inventory:,.0f}",
        f"{listing / limits.customers / 60:,.1f}",
        f"{listing / QUOTA / 60:,.1f}",
        f"{checking_h:,.1f}",
        f"{(calls * cost.cpu_s_of_call + rows * cost.cpu_s_of_row) / 3600:,.1f}",
        f"{(MIB_OF_RUN + customers * KIB_OF_CUSTOMER / 1024) / 1024:,.1f}",
        gigabytes(cost.received_of_call, cost.received_of_row),
        gigabytes(cost.journaled_of_call, cost.journaled_of_row),
        gigabytes(0, STAGED_OF_ROW),
        gigabytes(0, cost.stored_of_row),
        gigabytes(0, postgres[0]),
        gigabytes(0, postgres[1]),
    ]


NAMES = (
    "million rows",
    "calls: listing customers",
    "calls: listing the catalog",
    "calls: availability",
    "calls: inventory",
    f"hours of listing, {Limits().customers} calls a minute",
    f"hours of listing, {QUOTA} calls a minute",
    f"hours of checking, {Limits().inventory} calls a minute",
    "CPU hours",
    "GiB of memory",
    "GB received",
    "GB of journal",
    "GB of staged answers",
    "GB of a snapshot in a folder",
    "GB in PostgreSQL, first night",
    "GB in PostgreSQL, each later night",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, nargs=2, default=[50, 150], help="customers")
    parser.add_argument("--many", type=int, nargs=2, default=[8, 24], help="customers")
    given = parser.parse_args()
    few = [asyncio.run(measure(count, FEW)) for count in given.few]
    many = [asyncio.run(measure(count, MANY)) for count in given.many]
    later, postgres = later_share(100), in_postgres()
    # a second night costs more than a first one: it also reads what is known
    cost = costs([nights_[1] for nights_ in few], [nights_[1] for nights_ in many])
    for name, value in cost._asdict().items():
        print(f"{name:26} {value:12.6g}")
    print(f"{'later nights list':26} {later:12.3f}")
    print(f"{'bytes of a key in Postgres':26} {postgres[0]:12.1f} {postgres[1]:12.2f}")
    columns = [(partners, share) for partners in (1, 10) for share in (1.0, later)]
    values = [needs(cost, share, partners, postgres) for partners, share in columns]
    print(f"\n{'':40} one partner: first, later   one of ten: first, later")
    for name, *row in zip(NAMES, *values, strict=True):
        print(f"{name:40}", *(f"{value:>13}" for value in row))


if __name__ == "__main__":
    main()
