"""Measures a run for one customer, as a process of its own, on a store that holds many customers.

The sandbox answers at once and sets no limit. So the time is what the run takes beside its calls,
with the few milliseconds of their replies: from the command to the published changes.

    python bench/on_demand.py --customers 1000
"""

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

sys.path[:0] = [str(Path(__file__).parents[1])]
from auditor.run.run import audit
from auditor.run.runtime import Runtime
from auditor.sandbox import Sandbox, World, WorldSize, config_text, environment_token
from auditor.settings import load
from auditor.store import open_store
from auditor.store.postgres import schema
from auditor.store.postgres.connection import Database
from tests.builders.throwaway import Server, binaries

ROUNDS = 5
MOST_S = 2.0
ROWS = """
    SELECT (SELECT count(*) FROM current_inventory) + (SELECT count(*) FROM current_availability)
    AS rows
"""


def children_s() -> float:
    """Return the processor time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def command(argv: list[str], environ: dict[str, str]) -> tuple[float, float]:
    """Run the auditor once; return the seconds and the processor seconds that it takes."""
    began, used = time.perf_counter(), children_s()
    subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "auditor", *argv, "--quiet"],
        env={**os.environ, **environ},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began, children_s() - used


async def measure(customers: int, store: str, folder: Path) -> None:
    """Fill a store with a night; print the medians of runs for one customer."""
    world = World(1, WorldSize(partners=1, customers=customers))
    async with Sandbox(world) as sandbox:
        tokens = {environment_token(p): p.token for p in world.partners()}
        environ = {name.removeprefix("env:"): token for name, token in tokens.items()}
        path = folder / "auditor.toml"
        path.write_text(config_text(world, sandbox.base_url, environment_token))
        environ["AUDITOR_STORE"] = store
        settings = load(path, environ)
        await audit(settings, runtime=Runtime(environ=environ))
        [found] = open_store(store).sql(ROWS).to_pylist()
        world.night = 2
        azure = [customer.customer_id for customer, _ in world.state(2).audited_azure()]
        # An installed program has its bytecode; the first run writes it, and is not counted.
        environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
        walls, used, calls = [], [], 0
        for number, customer in enumerate(azure[:: len(azure) // (ROUNDS + 1)][: ROUNDS + 1]):
            sandbox.log.clear()
            argv = ["run", "--config", str(path), "--customer", customer]
            wall, processor = await asyncio.to_thread(command, argv, environ)
            if number:
                walls.append(wall)
                used.append(processor)
                calls += len(sandbox.log.records)
        print(
            f"{store.partition(':')[0] if '://' in store else 'folder':10}"
            f" {customers:9,} {found['rows']:9,} {calls / ROUNDS:6.0f}"
            f" {statistics.median(walls):8.2f} {max(walls):8.2f} {statistics.median(used):10.2f}",
            flush=True,
        )


def in_database(customers: int) -> None:
    programs = binaries()
    assert programs is not None, "no PostgreSQL server is installed"
    server = Server(programs)
    server.start()
    try:
        with psycopg.connect(server.url, autocommit=True) as con:
            con.execute("CREATE DATABASE bench")
        url = f"{server.url.rpartition('/')[0]}/bench"
        schema.upgrade(Database(url))
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(customers, f"{url}?allow_superuser=yes", Path(folder)))
    finally:
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1000)
    parser.add_argument("--stores", nargs="+", default=["folder", "postgresql"])
    given = parser.parse_args()
    print(f"at most {MOST_S:g} s")
    print("store      customers      rows  calls   median      max  processor")
    if "folder" in given.stores:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(given.customers, str(Path(folder) / "lake"), Path(folder)))
    if "postgresql" in given.stores:
        in_database(given.customers)


if __name__ == "__main__":
    main()
