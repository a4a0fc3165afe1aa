"""P34: a database of an older release is upgraded, and what it holds is read and goes on."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from auditor.database_url import ALLOW_SUPERUSER
from auditor.errors import StoreTooNew
from auditor.store import open_store, sql
from auditor.store.postgres import schema
from auditor.store.postgres.connection import Database
from auditor.store.postgres.store import PostgresStore
from tests.builders import next_release, report_lake
from tests.builders.store_lake import ACME, at, cover, publish, stock

DUMPS = sorted((Path(__file__).parents[1] / "fixtures").glob("postgres-schema-*.sql"))
"""What each released version wrote into its schema; the number is that of its last step."""


def allowed(url: str) -> str:
    return f"{url}?{ALLOW_SUPERUSER}=yes"


@pytest.fixture(params=DUMPS, ids=lambda path: path.stem)
def older(request: pytest.FixtureRequest, new_database: Callable[[], str]) -> str:
    """Return the URL of a database as an older release left it."""
    url = new_database()
    schema.upgrade(Database(url), until=int(request.param.stem.rpartition("-")[2]))
    with psycopg.connect(url) as con:
        con.execute(request.param.read_bytes())
    return url


def test_what_an_older_release_wrote_is_read_after_the_upgrade(older: str, tmp_path: Path) -> None:
    schema.upgrade(Database(older))
    store = open_store(allowed(older))
    lake = report_lake.two_nights(tmp_path)
    assert store.published() == lake.published()
    assert [store.verify(name) for name in store.published()] == [[]] * len(lake.published())
    for name in (*sql.BASE, *sql.VIEWS):
        assert store.arrow(name).num_rows == lake.arrow(name).num_rows, name
    rows = {
        "coverage": [cover(ACME, "DE")],
        "inventory": [stock(ACME, "0011", "unrestricted", at(9))],
    }
    assert publish(store, "20261109T020000Z-00000f", at(9), rows)
    assert [store.verify(name) for name in store.published()] == [[]] * len(store.published())


@pytest.fixture
def database(postgres_store: PostgresStore, store_url: str) -> str:
    """Return the URL of a database of this release; the next one is the later release."""
    rows = {
        "coverage": [cover(ACME, "DE")],
        "inventory": [stock(ACME, "0011", "restricted", at(1))],
    }
    publish(postgres_store, "20261101T020000Z-00000a", at(1), rows)
    return allowed(store_url.replace("night@", "auditor@"))


def test_a_step_more_is_asked_for_applied_and_used(database: str) -> None:
    """The newest step is the last file: no constant names it."""
    with pytest.raises(next_release.Failed, match="StoreTooOld"):
        next_release.run(database, "views")
    steps, views, faults, inventory, coverage = next_release.run(
        database, "upgrade", "views", "verify", "rows=inventory", "rows=coverage"
    )
    assert (steps, faults) == (["0099_next"], [])
    assert (views["inventory"], views["extra"]) == (1, 0)
    assert ([row["note"] for row in inventory], [row["pages"] for row in coverage]) == ([None], [0])


def test_the_next_release_publishes_and_the_older_one_then_refuses(
    postgres_store: PostgresStore, database: str
) -> None:
    asked = ("upgrade", f"publish={ACME}", "verify", "rows=inventory", "rows=extra", "prune")
    _, new, faults, inventory, extra, pruned = next_release.run(database, *asked)
    assert (new, faults, pruned) == (True, [], 1)
    assert [row["note"] for row in inventory] == [None, "seen"]
    assert [row["word"] for row in extra] == ["new"]
    with pytest.raises(StoreTooNew):
        open_store(database)
    with pytest.raises(StoreTooNew), postgres_store.publishing(0.0):
        pass
