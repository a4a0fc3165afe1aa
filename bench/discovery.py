"""Measures what discovery costs on a first night and on later ones, at the default `[cache]`.

It counts the calls that the sandbox receives, with a day between nights, and computes how long
20,000 customers take at the default limits. Wave 2 uses the three quotas in parallel, wave 1 one
after the other.
"""

import argparse
import asyncio
import itertools
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from auditor.run.run import audit
from auditor.run.runtime import Runtime
from auditor.sandbox import Sandbox, World, WorldSize, config_text, environment_token
from auditor.sandbox.server.log import Record
from auditor.settings import Cache, Limits, load

FIRST = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
SCALE = 20_000
CHECKS = ("check_inventory", "by_resource_type", "customer_availabilities", "availabilities")


def clock(began: datetime) -> Callable[[], datetime]:
    """Return a clock that advances by a millisecond on each reading."""
    ticks = itertools.count()
    return lambda: began + timedelta(milliseconds=next(ticks))


async def nights(customers: int, count: int, seed: int) -> list[list[Record]]:
    """Return the requests that a sandbox received on each night."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(seed, WorldSize(partners=1, customers=customers))
        async with Sandbox(world) as sandbox:
            [partner] = world.partners()
            environ = {environment_token(partner).removeprefix("env:"): partner.token}
            path = Path(folder) / "auditor.toml"
            path.write_text(config_text(world, sandbox.base_url, environment_token))
            settings = msgspec.structs.replace(load(path, environ), cache=Cache())
            for night in range(1, count + 1):
                world.night = night
                began = FIRST + timedelta(days=night - 1)
                await audit(settings, runtime=Runtime(environ=environ, now=clock(began)))
            return [sandbox.log.of(night=night) for night in range(1, count + 1)]


def night_line(night: int, records: list[Record], first: int, customers: int) -> str:
    """Return a line about one night; the catalog does not grow with the customers."""
    limits = Limits()
    discovery = [r for r in records if r.endpoint not in CHECKS]
    classes = Counter(r.api_class for r in discovery)
    checks = Counter(r.api_class for r in records if r.endpoint in CHECKS)
    scale = SCALE / customers
    listing_h = (
        classes["customers"] * scale / limits.customers + classes["catalog"] / limits.catalog
    ) / 60
    checking_h = (
        max(
            checks["inventory"] * scale / limits.inventory,
            checks["catalog"] * scale / limits.catalog,
        )
        / 60
    )
    return (
        f"{night:5} {len(discovery):9,} {len(discovery) / first:9.2f}"
        f" {classes['customers'] * scale:14,.0f} {listing_h:10.1f} {checking_h:9.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000)
    parser.add_argument("--nights", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    found = asyncio.run(nights(given.customers, given.nights, given.seed))
    first = sum(record.endpoint not in CHECKS for record in found[0])
    print(f"{given.customers:,} customers, seed {given.seed}: calls of discovery, and its share of")
    print(
        f"the first night's; for {SCALE:,} customers: calls at {Limits().customers} a minute, hours"
    )
    print("night discovery  of first  of customers    listing  checking")
    for night, records in enumerate(found, start=1):
        print(night_line(night, records, first, given.customers))


if __name__ == "__main__":
    main()
