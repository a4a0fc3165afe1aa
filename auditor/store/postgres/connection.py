"""Connections to PostgreSQL, by SQLAlchemy and by Arrow, and what goes wrong with them."""

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
from auditor.errors import (
    AuditorError,
    SettingsError,
    StoreFailed,
    StoreRefused,
    StoreUnreachable,
)
from auditor.store.postgres.watchdog import Watch

_CONNECT_TIMEOUT_S = 10
_REFUSED = ("28000", "28P01", "42501")  # unknown role, wrong password, a right that is missing
_REFUSALS = (
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "is not permitted to log in",
)
"""The same of a connection that was never made: drivers give no state for those."""
_BAD_OPTION = re.compile(
    r"invalid (\S+ value|integer value|value for parameter|command-line argument)"
    r"|bad value for|unrecognized configuration parameter|could not parse network address"
    r"|definition of service|(certificate|private key) file|SSL was required"
)
"""An option of the URL, or of libpq's environment, with which there can be no connection."""
_GONE = ("08", "57P", "53")  # connection lost, server shut down, out of connections or memory
_AGAIN = ("40001", "40P01", "55P03")  # crossed by somebody, in a deadlock, waited for a lock
_LOCK_TIMEOUT_MS = 30_000
_KEEPALIVES = {
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""Within a minute it is known that a machine is gone."""
WHOLE = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
"""What several statements read is of one moment: a snapshot is seen whole or not at all."""


class Database:
    """Where the store is.

    Connections that read or write Arrow are used again: the driver reads the whole catalog of types
    whenever it opens one, which takes longer than what most buckets hold.
    """

    def __init__(self, url: str) -> None:
        try:
            self._url = PostgresUrl(url)
        except Unreadable as error:
            raise SettingsError(f"store: the URL {error.says}", hint=error.hint) from None
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
        said = parameters["connect_timeout"]  # 0 is for ever
        timeout_s = int(said) if said.isdecimal() else 0
        self._watch = Watch(self._conninfo, timeout_s or _CONNECT_TIMEOUT_S)
        event.listen(self.engine, "connect", self._connected)
        self._idle: list[dbapi.Connection] = []
        weakref.finalize(self, _close, self._idle)

    @contextmanager
    def arrow(self) -> Iterator[dbapi.Connection]:
        """Give a connection that reads and writes Arrow tables, each statement for itself.

        One on which something went wrong is not used again, nor are those that stood idle by then:
        the server may have ended them all.
        """
        with self.telling():
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
    def telling(self) -> Iterator[None]:
        """Raise what the drivers raise as ours, and that a server no longer answers."""
        try:
            with self._watch.over():
                yield
        except (DBAPIError, adbc_driver_manager.Error, psycopg.Error) as error:
            told = self._told(getattr(error, "orig", None) or error)
            if any(self.hide(said) != said for said in _texts(error)):
                raise told from None  # a traceback would show what the message does not
            raise told from error

    def hide(self, text: str) -> str:
        """Return what a driver says without any part of the URL but host, port and database."""
        return self._url.hide(text)

    def _connected(self, connection: psycopg.Connection[Any], _: object) -> None:
        self._watch.connected(connection.fileno())

    def _told(self, error: BaseException) -> AuditorError:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        state = getattr(error, "sqlstate", None) or ""
        told = f"{self.shown}: {self.hide(said)}"
        is_refused = any(phrase in said for phrase in _REFUSALS) or _names_a_role(said)
        if state in _REFUSED or is_refused:
            return StoreRefused(told, hint="see the roles: auditor db upgrade")
        if 'database "' in said and "does not exist" in said:
            return SettingsError(f"store: {told}", hint="create the database first")
        if not state and _BAD_OPTION.search(said):
            return SettingsError(
                f"store: {told}", hint="change that option of the URL, or its PG… variable"
            )
        if not state or state.startswith(_GONE) or state in _AGAIN:
            hint = "try again with --resume when it is back: what was asked is journaled"
            return StoreUnreachable(told, hint=hint)
        return StoreFailed(told)


def _texts(error: BaseException | None) -> Iterator[str]:
    """Yield what a traceback would show of an error and of those it came from."""
    while error is not None:
        yield str(error)
        error = error.__cause__ or error.__context__


def is_of_statement(error: dbapi.Error) -> bool:
    """Tell whether the server refused what it was asked, and could be asked something else."""
    state = error.sqlstate or ""
    return bool(state) and not state.startswith(_GONE) and state not in _AGAIN


_NUMBERED = postgresql.dialect(  # type: ignore[no-untyped-call] # SQLAlchemy gives it none
    paramstyle="numeric_dollar"
)


def fetched(  # the driver has no types
    cursor: Any, query: Select[Any], values: Mapping[str, object] | None = None
) -> pa.Table:
    """Return what a statement answers; its values are bound, never part of its text."""
    return streamed(cursor, query, values).read_all()


def streamed(  # likewise
    cursor: Any, query: Select[Any], values: Mapping[str, object] | None = None
) -> pa.RecordBatchReader:
    """Give what a statement answers a batch at a time: to be read before the next is asked.

    `values` are those of its `bindparam`s; it need not name all that are given.
    """
    compiled = _compiled(query)
    bound = compiled.construct_params(dict(values or {}))
    parameters = [bound[name] for name in compiled.positiontup or ()]
    cursor.execute(str(compiled), parameters=parameters or None)
    return cursor.fetch_record_batch()


@lru_cache(maxsize=128)
def _compiled(query: Select[Any]) -> SQLCompiler:
    """Compile a statement once: that takes longer than what most buckets hold."""
    return query.compile(dialect=_NUMBERED, compile_kwargs={"render_postcompile": True})


def _close(connections: list[dbapi.Connection]) -> None:
    while connections:
        with suppress(adbc_driver_manager.Error):
            connections.pop().close()


def _names_a_role(said: str) -> bool:
    return 'role "' in said and "does not exist" in said
