"""Names keep their letters whatever encoding a role, a database or the environment asks for."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, text

from auditor.cli.shell import main
from auditor.errors import SettingsError
from auditor.store import open_store
from auditor.store.postgres import schema
from auditor.store.postgres.connection import Database
from auditor.store.postgres.store import PostgresStore
from tests.builders.database_logins import as_superuser
from tests.builders.store_lake import ACME, at, client, cover, publish

NAME = "Café Łódź 中"
SNAPSHOT = "20261101T020000Z-000001"


def by_role(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    del monkeypatch
    with as_superuser(url) as con:
        con.execute("CREATE ROLE latin LOGIN IN ROLE auditor_writer")
        con.execute("ALTER ROLE latin SET client_encoding = 'LATIN1'")
    return make_url(url).set(username="latin").render_as_string(hide_password=False)


def by_database(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    del monkeypatch
    with as_superuser(url) as con:
        name = make_url(url).database
        con.execute(f"ALTER DATABASE {name} SET client_encoding = 'LATIN1'".encode())
    return url


def by_environment(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    return url


def by_options(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PGOPTIONS", "-cclient_encoding=LATIN1")
    return url


def by_url(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    del monkeypatch
    return f"{url}?client_encoding=LATIN1&options=-cclient_encoding%3DLATIN1"


WAYS = [by_role, by_database, by_environment, by_options, by_url]


@pytest.mark.parametrize("asks", WAYS)
def test_a_default_of_latin1_spoils_no_name(
    asks: Callable[[str, pytest.MonkeyPatch], str], store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either driver writes and reads UTF-8."""
    url = asks(store_url, monkeypatch)
    try:
        store = PostgresStore.open(url)
        rows = {"coverage": [cover(ACME)], "customer": [client(ACME, NAME)]}
        publish(store, SNAPSHOT, at(1), rows)

        assert store.arrow("latest_customer")["company_name"].to_pylist() == [NAME]
        assert store.sql("SELECT company_name FROM latest_customer")[
            "company_name"
        ].to_pylist() == [NAME]
        found = Database(url)
        with found.engine.connect() as con:
            assert con.execute(text("SHOW client_encoding")).scalar() == "UTF8"
            assert con.execute(text("SELECT company_name FROM latest_customer")).scalar() == NAME
        with found.arrow() as arrow, arrow.cursor() as cursor:
            cursor.execute("SELECT current_setting('client_encoding')")
            assert cursor.fetchone() == ("UTF8",)
    finally:
        with as_superuser(store_url) as con:
            con.execute("DROP ROLE IF EXISTS latin")
    with as_superuser(store_url) as con:
        con.execute("SET client_encoding = 'UTF8'")
        assert con.execute("SELECT company_name FROM latest_customer").fetchall() == [(NAME,)]


@pytest.fixture
def in_latin1(postgres_server: str, new_database: Callable[[], str]) -> str:
    """Return the URL of a database that can hold only the letters of LATIN1."""
    url = new_database()
    name = make_url(url).database
    with psycopg.connect(postgres_server, autocommit=True) as con:
        con.execute(f"DROP DATABASE {name}".encode())
        con.execute(
            f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0"
            " LC_COLLATE 'C' LC_CTYPE 'C'".encode()
        )
    return url


@pytest.mark.parametrize(
    "words", [("run",), ("sql", "SELECT 1"), ("snapshots", "list"), ("report",), ("db", "upgrade")]
)
def test_a_database_that_is_not_in_utf8_is_78_and_named(
    words: tuple[str, ...], in_latin1: str, tmp_path: Path
) -> None:
    status, _, err = ran(in_latin1, tmp_path, *words)
    assert status == 78
    assert "server_encoding is LATIN1, not UTF8" in err
    assert "hint: create the database with ENCODING 'UTF8'" in err


def test_the_doctor_names_a_database_that_is_not_in_utf8(in_latin1: str, tmp_path: Path) -> None:
    status, out, _ = ran(in_latin1, tmp_path, "doctor", "--format", "json")
    (found,) = [row for row in json.loads(out) if row["check"] == "store"]
    assert status == 78
    assert (found["state"], "server_encoding is LATIN1" in found["said"]) == ("fault", True)
    assert "ENCODING 'UTF8'" in found["mend"]


def test_an_upgrade_does_not_change_a_database_that_is_not_in_utf8(in_latin1: str) -> None:
    with pytest.raises(SettingsError):
        schema.upgrade(Database(in_latin1))
    with pytest.raises(SettingsError):
        open_store(in_latin1)
    with psycopg.connect(in_latin1) as con:
        found = con.execute("SELECT to_regnamespace('auditor_tables')").fetchone()
    assert found == (None,)


PARTNER = """\
[[partner]]
name = "contoso-eu"
tenant_id = "aaaaaaaa-0000-4000-8000-000000000001"
countries = ["DE"]
auth = "token"
token = "env:CONTOSO_TOKEN"
base_url = "http://127.0.0.1:9"
"""


def ran(url: str, folder: Path, *words: str) -> tuple[int, str, str]:
    config = folder / "auditor.toml"
    config.write_text(PARTNER)
    out, err = io.StringIO(), io.StringIO()
    environ = {
        "AUDITOR_STORE": url,
        "AUDITOR_STATE_DIR": str(folder / "state"),
        "CONTOSO_TOKEN": "a-token-of-ours",
    }
    status = main([*words, "--config", str(config)], environ, io.StringIO(), out, err)
    return status, out.getvalue(), err.getvalue()
