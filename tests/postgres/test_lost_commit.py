"""If the connection is cut around COMMIT, the database is asked for the result: no guessing."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy import make_url

from auditor.errors import StoreUnreachable
from auditor.model import bucket_of
from auditor.store.postgres.store import PostgresStore
from tests.builders.database_logins import as_superuser
from tests.builders.store_lake import ACME, at, rows_table, snapshot_row
from tests.postgres.test_publishing import FIRST, night


class Cutter:
    """A proxy to a server; when `cuts` is set, it cuts the connection at one COMMIT."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.cuts = ""
        """When to cut: `before` the server gets `at`, or `after` it has replied."""
        self.at = b"COMMIT\0"
        """The bytes at which it cuts."""

    @contextmanager
    def serving(self) -> Iterator[None]:
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield
        finally:
            self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listening.accept()[0]
                server = socket.create_connection(("127.0.0.1", self._port))
                silenced = threading.Event()
                for one, other in ((client, server), (server, client)):
                    threading.Thread(
                        target=self._pass, args=(one, other, one is client, silenced), daemon=True
                    ).start()

    def _pass(
        self, one: socket.socket, other: socket.socket, is_asking: bool, silenced: threading.Event
    ) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if is_asking and self.cuts and self.at in data:
                    is_before, self.cuts = self.cuts == "before", ""
                    if is_before:
                        break
                    silenced.set()
                elif silenced.is_set():
                    break
                other.sendall(data)
        for each in (one, other):
            with suppress(OSError):  # a thread that still reads would keep the socket open
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.mark.parametrize(("cuts", "is_published"), [("after", True), ("before", False)])
def test_a_lost_reply_to_commit_is_settled_by_asking(
    cuts: str, is_published: bool, store_url: str
) -> None:
    """P13."""
    url = make_url(store_url)
    assert url.port
    cutter = Cutter(url.port)
    with cutter.serving():
        store = PostgresStore.open(url.set(port=cutter.port).render_as_string(hide_password=False))
        with store.publishing(0.0) as publication:
            publication.stage(FIRST)
            for relation, rows in night(1, "restricted").items():
                bucket = bucket_of(ACME, store.buckets)
                publication.write(relation, bucket, rows_table(relation, rows, FIRST))
            cutter.cuts = cuts
            if is_published:
                assert publication.commit(snapshot_row(FIRST, at(1)), "c")
            else:
                with pytest.raises(StoreUnreachable) as caught:
                    publication.commit(snapshot_row(FIRST, at(1)), "c")
                assert caught.value.exit_status == 75
        assert not cutter.cuts
        assert store.published() == ((FIRST,) if is_published else ())
    with as_superuser(store_url) as con:
        found = con.execute("SELECT count(*) FROM inventory_interval").fetchone()
    assert found == (int(is_published),)
