"""Connections to PostgreSQL, by SQLAlchemy and by Arrow, and what goes wrong with them."""

import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import adbc_driver_manager
import psycopg
import pyarrow as pa
from adbc_driver_postgresql import dbapi
from sqlalchemy import Engine, NullPool, Select, create_engine, event, make_url
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

from auditor.errors import (
    AuditorError,
    SettingsError,
    StoreFailed,
    StoreRefused,
    StoreUnreachable,
)
from auditor.store.places import ALLOW_SUPERUSER
from auditor.store.watching import Watch

_CONNECT_TIMEOUT_S = 10
_REFUSED = ("28000", "28P01", "42501")  # unknown role, wrong password, a right that is missing
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
            parsed = make_url(url).set(drivername="postgresql")
        except (ArgumentError, ValueError):
            raise SettingsError("store: the URL cannot be read") from None
        self.allows_superuser = parsed.query.get(ALLOW_SUPERUSER) == "yes"
        parsed = parsed.difference_update_query([ALLOW_SUPERUSER])
        query = {
            "connect_timeout": str(_CONNECT_TIMEOUT_S),
            "application_name": "auditor",
            **_KEEPALIVES,
            "options": f"-clock_timeout={_LOCK_TIMEOUT_MS}",
        }
        parsed = parsed.set(query={**query, **parsed.query})
        # libpq takes a plus sign for one
        self._uri = parsed.render_as_string(hide_password=False).replace("+", "%20")
        self.shown = make_url(url).render_as_string(hide_password=True)
        self.engine: Engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"), poolclass=NullPool
        )
        said = str(parsed.query["connect_timeout"])  # 0 is for ever
        timeout_s = int(said) if said.isdecimal() else 0
        self._watch = Watch(self._uri, timeout_s or _CONNECT_TIMEOUT_S)
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
                con = dbapi.connect(self._uri, autocommit=True)
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
        except DBAPIError as error:
            raise self._told(error.orig or error) from error
        except (adbc_driver_manager.Error, psycopg.Error) as error:
            raise self._told(error) from error

    def _connected(self, connection: psycopg.Connection[Any], _: object) -> None:
        self._watch.connected(connection.fileno())

    def _told(self, error: BaseException) -> AuditorError:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        state = getattr(error, "sqlstate", None) or ""
        if state in _REFUSED or "authentication failed" in said or _names_a_role(said):
            return StoreRefused(f"{self.shown}: {said}", hint="see the roles: auditor db upgrade")
        if 'database "' in said and "does not exist" in said:
            return SettingsError(f"store: {self.shown}: {said}", hint="create the database first")
        if not state or state.startswith(_GONE) or state in _AGAIN:
            hint = "try again with --resume when it is back: what was asked is journaled"
            return StoreUnreachable(f"{self.shown}: {said}", hint=hint)
        return StoreFailed(f"{self.shown}: {said}")


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
