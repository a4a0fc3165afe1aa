"""The PostgreSQL store: what is known as intervals, so that a night writes what changed."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from threading import get_ident
from typing import Any

import duckdb
import pyarrow as pa
from adbc_driver_postgresql import dbapi
from sqlalchemy import Connection, Select, Text, column, func, literal, select, table, text, true
from sqlalchemy.exc import OperationalError

from auditor.errors import Locked, StoreError, UsageError
from auditor.store import history, read_only, reading, sql
from auditor.store.interface import Store
from auditor.store.postgres import known as open_rows
from auditor.store.postgres import schema, upkeep, views
from auditor.store.postgres import tables as places
from auditor.store.postgres.connection import WHOLE, Database, fetched, is_of_statement, streamed
from auditor.store.postgres.publication import Loading
from auditor.store.span import EVERYONE, Span
from auditor.tables import CELL, SCHEMAS

_PUBLISH_LOCK = 0x5CA1_AB1F
_ASKS = ("SELECT", "WITH", "VALUES", "TABLE")


class PostgresStore(Store):
    """A database whose schema `auditor db upgrade` has made. Reading writes nothing."""

    def __init__(self, database: Database, buckets: int) -> None:
        self._database = database
        self.buckets = buckets
        self._publisher: int | None = None
        """The thread that holds the publish lock."""
        self._compared: defaultdict[tuple[str, int, str], list[pa.Table]] = defaultdict(list)
        """What it was told is known, until it writes of the same bucket: nobody else changes it."""

    @classmethod
    def open(cls, url: str) -> "PostgresStore":
        """Return the store at a URL; StoreTooOld or StoreTooNew where its schema will not do."""
        database = Database(url)
        with database.telling(), database.engine.connect() as con:
            schema.check(con)
            if not database.allows_superuser:
                schema.check_role(con)
            buckets = con.execute(select(places.STORE_INFO.c.buckets)).scalar_one()
        return cls(database, int(buckets))

    def published(self) -> tuple[str, ...]:
        """Return the ids of all snapshots, in the order of publication."""
        snapshot = places.PUBLISHED
        with self._database.telling(), self._database.engine.connect() as con:
            rows = con.execute(select(snapshot.c.snapshot_id).order_by(snapshot.c.sequence))
            return tuple(rows.scalars())

    def last_published_at(self) -> datetime | None:
        """Return the latest time at which a snapshot was published; None before the first."""
        snapshot = places.PUBLISHED
        with self._database.telling(), self._database.engine.connect() as con:
            found = con.execute(select(func.max(snapshot.c.published_at))).scalar()
        return None if found is None else found.astimezone(UTC)

    # What a publisher asks -----------------------------------------------------------------

    @contextmanager
    def publishing(self, timeout_s: float) -> Iterator[Loading]:
        """Hold the publish lock (Locked after `timeout_s`) and clear up after killed publishers.

        The lock belongs to a session and is lost with it, while this process may live on: what
        keeps two from publishing is the token that comes with it.
        """
        with (
            self._database.telling(),
            self._database.engine.connect() as con,
            ThreadPoolExecutor(3, "publishing") as pool,
        ):
            self._lock(con, timeout_s)
            taken = places.STORE.update().values(epoch=places.STORE.c.epoch + 1)
            epoch = con.execute(taken.returning(places.STORE.c.epoch)).scalar_one()
            con.commit()
            loading = Loading(
                self._database,
                con,
                self.buckets,
                epoch=epoch,
                known=self._known_to_publisher,
                pool=pool,
            )
            loading.clear()
            self._publisher = get_ident()
            try:
                yield loading
            finally:
                loading.abandon()
                self._publisher = None
                self._compared.clear()
            # a server frees the lock of a session that is gone when it gets round to it
            with suppress(OperationalError):
                con.execute(select(func.pg_advisory_unlock(_PUBLISH_LOCK)))

    def _lock(self, con: Connection, timeout_s: float) -> None:
        """Take the lock for as long as the connection lasts."""
        try:
            if timeout_s > 0:
                wait_ms = literal(f"{timeout_s * 1000:.0f}")
                con.execute(select(func.set_config("lock_timeout", wait_ms, true())))
                con.execute(select(func.pg_advisory_lock(_PUBLISH_LOCK)))
                is_ours = True
            else:
                is_ours = con.execute(select(func.pg_try_advisory_lock(_PUBLISH_LOCK))).scalar_one()
            con.commit()
            if is_ours:
                return
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", "") != "55P03":  # lock_not_available
                raise
        raise Locked(
            f"another publisher holds the lock of {self._database.shown} (waited {timeout_s:g} s)",
            hint="try again when it has finished, with --resume",
        )

    def recover(self, timeout_s: float = 0.0) -> None:
        """Remove what killed publishers have staged."""
        with self.publishing(timeout_s):
            pass

    def known(
        self,
        relation: str,
        bucket: int,
        partner_tenant_id: str,
        *,
        columns: Sequence[str] = (),
        span: Span = EVERYONE,
    ) -> pa.Table:
        """Return what is known of a partner's cells in one bucket, without `snapshot_id`.

        Only the customers of `span` are looked at; what has no customer is the catalog's.
        """
        wanted = columns or [name for name in SCHEMAS[relation].names if name != "snapshot_id"]
        place = relation, bucket, partner_tenant_id
        found = open_rows.read(self._database, *place, wanted, span=span)
        if not columns and self._publisher == get_ident():
            self._compared[place].append(found)
        return found

    def _known_to_publisher(self, relation: str, bucket: int, partner_tenant_id: str) -> pa.Table:
        place = relation, bucket, partner_tenant_id
        if found := self._compared.pop(place, []):
            return pa.concat_tables(found)
        return open_rows.read(self._database, *place, places.of_interval(relation))

    def latest_cells(self, partner_tenant_id: str) -> pa.Table:
        """Return each cell of a partner: snapshot_id, sequence, status and scope of its newest."""
        latest, coverage = places.LATEST, places.TABLES["coverage"]
        same = [latest.c[name] == coverage.c[name] for name in (*CELL, "snapshot_id")]
        columns = [*(latest.c[name] for name in (*CELL, "snapshot_id", "status"))]
        query = select(*columns, coverage.c.scope, latest.c.sequence).where(*same)
        return self._rows(query.where(latest.c.partner_tenant_id == partner_tenant_id))

    def gaps(self, cells_and_before: pa.Table) -> pa.Table:
        """Return the distinct rows with `gap_snapshots`: how often the cell was covered since.

        Takes partner_tenant_id, customer_id, country, before_snapshot_id.
        """
        snapshot, coverage = places.TABLES["snapshot"], places.TABLES["coverage"]
        partners = cells_and_before.column("partner_tenant_id").unique().to_pylist()
        published = self._rows(select(snapshot.c.snapshot_id, snapshot.c.sequence))
        before = set(cells_and_before.column("before_snapshot_id").unique().to_pylist())
        rows = zip(*(published.column(n).to_pylist() for n in published.column_names), strict=True)
        sequences = {name: sequence for name, sequence in rows if name in before}
        oldest = min(sequences.values()) if len(sequences) == len(before) else 0
        covered = self._rows(
            select(*(coverage.c[name] for name in (*CELL, "snapshot_id")))
            .join(snapshot, snapshot.c.snapshot_id == coverage.c.snapshot_id)
            .where(snapshot.c.sequence > oldest, coverage.c.partner_tenant_id.in_(partners))
        )
        return history.counted(cells_and_before, published, covered)

    # What a reader asks --------------------------------------------------------------------

    def connect(
        self,
        *,
        customer_id: str | None = None,
        asking: str | None = None,
        is_sparing: bool = False,
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Open DuckDB on the snapshots published by now, with every relation and view.

        It copies all that `asking` stands on, to disk where memory does not hold it: what is asked
        of everything is better asked with `sql`, or of the views in the database.
        """
        only = None if asking is None else sql.needed(asking)
        return self._connect(customer_id, only, is_sparing=is_sparing)

    @contextmanager
    def _connect(
        self, customer_id: str | None, only: frozenset[str] | None, *, is_sparing: bool
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        with ExitStack() as stack:
            with self._database.arrow() as con, con.cursor() as cursor:
                cursor.execute(WHOLE)
                relations = (
                    (name, streamed(cursor, _of(name, customer_id)))
                    for name in sql.BASE
                    if only is None or name in only
                )
                opened = stack.enter_context(views.filled(relations, only, is_sparing=is_sparing))
                cursor.execute("COMMIT")
            yield opened

    def sql(self, query: str) -> pa.Table:
        """Return the rows of one read-only statement; UsageError says what PostgreSQL said."""
        read_only.check_text(query)
        words = sql.uncommented(query).split(maxsplit=1)
        if not words or words[0].upper().lstrip("(") not in _ASKS:
            raise UsageError(
                "sql: the store is read-only", hint="ask with SELECT, WITH, VALUES or TABLE"
            )
        with self._database.telling(), self._database.arrow() as con, con.cursor() as cursor:
            cursor.execute("BEGIN READ ONLY")
            try:
                cursor.execute(query)
                found: pa.Table = cursor.fetch_arrow_table()
                cursor.execute("ROLLBACK")  # what it may have set is not there for the next
                cursor.execute("SELECT pg_advisory_unlock_all()")  # these outlive a transaction
                cursor.fetchall()
            except dbapi.Error as error:
                if is_of_statement(error):
                    said = self._database.hide(str(error).strip().splitlines()[0])
                    raise reading.refused(said) from error
                raise
        return found

    def snapshot(self, name: str) -> dict[str, Any]:
        """Return the row of one snapshot."""
        found = self.arrow("snapshot", snapshot_id=self.snapshot_id(name)).to_pylist()
        row: dict[str, Any] = found[0]
        return row

    # Upkeep --------------------------------------------------------------------------------

    def verify(self, name: str) -> list[StoreError]:
        """Return one StoreCorrupt for each relation that is not what was published."""
        snapshot_id = self.snapshot_id(name)
        with self._database.telling(), self._database.engine.connect() as con:
            said = upkeep.said(con, snapshot_id)
        faults = (
            upkeep.fault(
                snapshot_id, relation, expected, self._rows(upkeep.rows_of(relation, snapshot_id))
            )
            for relation, expected in said.items()
        )
        return [fault for fault in faults if fault is not None]

    def prune(self, keep: timedelta, now: datetime, *, apply: bool) -> pa.Table:
        """Return what is dropped (or would be) of snapshots older than `keep`, one row for each."""
        if not apply:
            with self._database.telling(), self._database.engine.connect() as con:
                return upkeep.plan(con, now - keep)
        with self.publishing(timeout_s=60.0) as loading, loading.fenced() as con:
            return upkeep.prune(con, now - keep, now)

    def _rows(self, query: Select[Any]) -> pa.Table:
        with self._database.arrow() as con, con.cursor() as cursor:
            return fetched(cursor, query)


def _of(name: str, customer_id: str | None) -> Select[Any]:
    """Return the rows of a base view; of one customer, with those of the catalog."""
    query = select(text("*")).select_from(table(name))
    has = SCHEMAS.get(name.removeprefix("current_"))
    if customer_id is None or has is None or "customer_id" not in has.names:
        return query
    return query.where(column("customer_id", Text).in_((customer_id, "")))
