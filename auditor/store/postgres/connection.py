"""Connects to PostgreSQL through SQLAlchemy and Arrow, and turns the drivers' errors into ours."""

import re
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import adbc_driver_manager
import psycopg
import pyarrow as pa
from adbc_driver_postgresql import dbapi
from sqlalchemy import Engine, NullPool, Select, create_engine, event
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

from auditor.database_url import PostgresUrl, Unreadable
from auditor.errors import AuditorError, SettingsError, StoreFailed, StoreRefused, StoreUnreachable
from auditor.store.postgres.watchdog import Watch

_CONNECT_TIMEOUT_S = 10
_REFUSED = ("28000", "28P01", "42501")  # unknown role, wrong password, missing privilege
_REFUSALS = (
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "is not permitted to log in",
)
"""Texts of the same errors while connecting, because drivers then give no SQLSTATE."""
_BAD_OPTION = re.compile(
    r"invalid (\S+ value|integer value|value for parameter|command-line argument)"
    r"|bad value for|unrecognized configuration parameter|could not parse network address"
    r"|definition of service|(certificate|private key) file|SSL was required"
)
"""Texts of the error for an invalid option in the URL or in libpq's environment variables."""
_GONE = ("08", "57P", "53")  # connection lost, server shut down, out of connections or memory
_AGAIN = ("40001", "40P01", "55P03")  # serialization failure, deadlock, lock timeout
_LOCK_TIMEOUT_MS = 30_000
_KEEPALIVES = {
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""TCP keepalive settings: a machine that is gone is noticed within a minute."""
BEGIN_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
"""Begins a transaction whose statements all see the database at one moment: no half snapshot."""


class Database:
    """The database of a store.

    Arrow connections are pooled. When one is opened, the driver reads the server's whole type
    catalog, which takes longer than reading most buckets.
    """

    def __init__(self, url: str) -> None:
        try:
            self._url = PostgresUrl(url)
        except Unreadable as error:
            raise SettingsError(f"store: the URL {error.reason}", hint=error.hint) from None
        self.allows_superuser = self._url.allows_superuser
        defaults = {
            "connect_timeout": str(_CONNECT_TIMEOUT_S),
            "application_name": "auditor",
            **_KEEPALIVES,
            "options": f"-clock_timeout={_LOCK_TIMEOUT_MS}",
        }
        parameters = self._url.parameters(defaults)
        self._conninfo = self._url.conninfo(defaults)
        self.shown = self._url.shown
        self.engine: Engine = create_engine(
            "postgresql+psycopg://", connect_args=parameters, poolclass=NullPool
        )
        text = parameters["connect_timeout"]
        timeout_s = int(text) if text.isdecimal() else 0  # libpq takes 0 as "for ever"
        self._watch = Watch(self._conninfo, timeout_s or _CONNECT_TIMEOUT_S)
        event.listen(self.engine, "connect", self._connected)
        self._idle: list[dbapi.Connection] = []
        weakref.finalize(self, _close, self._idle)

    @contextmanager
    def arrow(self) -> Iterator[dbapi.Connection]:
        """Yield a connection for Arrow tables, in autocommit mode.

        After an error, this connection and all idle connections are closed, because the server may
        have ended them all.
        """
        with self.translating_errors():
            try:
                con = self._idle.pop()
            except IndexError:
                con = dbapi.connect(self._conninfo, autocommit=True)
            try:
                yield con
            except BaseException:
                _close([con])
                _close(self._idle)
                raise
            self._idle.append(con)

    @contextmanager
    def translating_errors(self) -> Iterator[None]:
        """Turn the drivers' errors into ours; end connections to a server that stops answering."""
        try:
            with self._watch.watching():
                yield
        except (DBAPIError, adbc_driver_manager.Error, psycopg.Error) as error:
            translated = self._translated(getattr(error, "orig", None) or error)
            if any(self.hide(text) != text for text in _texts(error)):
                raise translated from None  # a traceback would show what the message hides
            raise translated from error

    def hide(self, text: str) -> str:
        """Return a driver's text without the parts of the URL, except host, port and database."""
        return self._url.hide(text)

    def _connected(self, connection: psycopg.Connection[Any], _: object) -> None:
        self._watch.connected(connection.fileno())

    def _translated(self, error: BaseException) -> AuditorError:
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        state = getattr(error, "sqlstate", None) or ""
        message = f"{self.shown}: {self.hide(text)}"
        is_refused = any(phrase in text for phrase in _REFUSALS) or _names_a_role(text)
        if state in _REFUSED or is_refused:
            return StoreRefused(message, hint="see the roles: auditor db upgrade")
        if 'database "' in text and "does not exist" in text:
            return SettingsError(f"store: {message}", hint="create the database first")
        if not state and _BAD_OPTION.search(text):
            return SettingsError(
                f"store: {message}", hint="change that option of the URL, or its PG… variable"
            )
        if not state or state.startswith(_GONE) or state in _AGAIN:
            hint = "try again with --resume when it is back: the replies so far are journaled"
            return StoreUnreachable(message, hint=hint)
        return StoreFailed(message)


def _texts(error: BaseException | None) -> Iterator[str]:
    """Yield the texts of an error and of its causes, as a traceback would show them."""
    while error is not None:
        yield str(error)
        error = error.__cause__ or error.__context__


def is_of_statement(error: dbapi.Error) -> bool:
    """Return True if the server refused only the statement, so that the connection still works."""
    state = error.sqlstate or ""
    return bool(state) and not state.startswith(_GONE) and state not in _AGAIN


_NUMBERED = postgresql.dialect(  # type: ignore[no-untyped-call] # SQLAlchemy does not type it
    paramstyle="numeric_dollar"
)


def fetched(  # the driver has no types
    cursor: Any, query: Select[Any], values: Mapping[str, object] | None = None
) -> pa.Table:
    """Return the rows of a query. Values are bound, never written into the SQL text."""
    return streamed(cursor, query, values).read_all()


def streamed(  # the driver has no types
    cursor: Any, query: Select[Any], values: Mapping[str, object] | None = None
) -> pa.RecordBatchReader:
    """Return the rows of a query, batch by batch. Read all of them before the next statement.

    `values` are bound to the query's `bindparam`s; a value without a `bindparam` is ignored.
    """
    compiled = _compiled(query)
    bound = compiled.construct_params(dict(values or {}))
    parameters = [bound[name] for name in compiled.positiontup or ()]
    cursor.execute(str(compiled), parameters=parameters or None)
    return cursor.fetch_record_batch()


@lru_cache(maxsize=128)
def _compiled(query: Select[Any]) -> SQLCompiler:
    """Compile a query, once only: that takes longer than reading most buckets."""
    return query.compile(dialect=_NUMBERED, compile_kwargs={"render_postcompile": True})


def _close(connections: list[dbapi.Connection]) -> None:
    while connections:
        with suppress(adbc_driver_manager.Error):
            connections.pop().close()


def _names_a_role(text: str) -> bool:
    return 'role "' in text and "does not exist" in text
