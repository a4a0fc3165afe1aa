"""The PostgreSQL store. It stores rows as intervals: a night writes only rows that changed."""

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
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Select,
    Text,
    any_,
    column,
    func,
    literal,
    literal_column,
    or_,
    select,
    table,
    text,
    true,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import OperationalError

from auditor.customer_names import CustomerName
from auditor.errors import Locked, StoreError, UsageError
from auditor.store import erasure, history, read_only, reading, sql
from auditor.store.erasure import Traces
from auditor.store.interface import Store
from auditor.store.postgres import known, schema, tables, upkeep, views
from auditor.store.postgres.connection import (
    BEGIN_SNAPSHOT,
    Database,
    fetched,
    is_of_statement,
    streamed,
)
from auditor.store.postgres.erasure import Erasure
from auditor.store.postgres.publication import PostgresPublication
from auditor.store.postgres.shared_files import PostgresSharedFiles
from auditor.store.span import EVERYONE, Span
from auditor.tables import ATTEMPT, ATTEMPT_KEY, CELL, SCHEMAS

_PUBLISH_LOCK = 0x5CA1_AB1F
_ASKED = "auditor.snapshots"
"""A setting of the transaction: the ids of the snapshots that are read."""
_PRODUCTS = "auditor.products"
"""A setting of the transaction: the ids of the products that are read."""
_READING_STATEMENTS = ("SELECT", "WITH", "VALUES", "TABLE")


class PostgresStore(Store):
    """A database with the schema that `auditor db upgrade` makes. A reader never writes to it."""

    def __init__(self, database: Database, buckets: int) -> None:
        self._database = database
        self.buckets = buckets
        self._publisher: int | None = None
        """The thread that holds the publish lock."""
        self._compared: defaultdict[tuple[str, int, str], list[pa.Table]] = defaultdict(list)
        """Known rows that the publisher has read. It needs them when it writes their bucket, and
        nobody else can change them until then."""

    @classmethod
    def open(cls, url: str) -> "PostgresStore":
        """Return the store at a URL. Raise StoreTooOld or StoreTooNew for an unfit schema."""
        database = Database(url)
        with database.translating_errors(), database.engine.connect() as con:
            schema.check(con)
            if not database.allows_superuser:
                schema.check_role(con)
            buckets = con.execute(select(tables.STORE_INFO.c.buckets)).scalar_one()
        return cls(database, int(buckets))

    def published(self) -> tuple[str, ...]:
        """Return the ids of all snapshots, in the order of publication."""
        snapshot = tables.PUBLISHED
        with self._database.translating_errors(), self._database.engine.connect() as con:
            rows = con.execute(select(snapshot.c.snapshot_id).order_by(snapshot.c.sequence))
            return tuple(rows.scalars())

    def last_published_at(self) -> datetime | None:
        """Return the latest publication time of all snapshots; None if there is no snapshot."""
        snapshot = tables.PUBLISHED
        with self._database.translating_errors(), self._database.engine.connect() as con:
            found = con.execute(select(func.max(snapshot.c.published_at))).scalar()
        return None if found is None else found.astimezone(UTC)

    @contextmanager
    def publishing(self, timeout_s: float) -> Iterator[PostgresPublication]:
        """Hold the publish lock, and remove the leftovers of killed publishers.

        The lock belongs to a database session, so it may be lost while this process lives on. The
        fencing token that is taken with the lock ensures that only one process publishes. Raises
        Locked if the lock is not free within `timeout_s`.
        """
        with (
            self._database.translating_errors(),
            self._database.engine.connect() as con,
            ThreadPoolExecutor(3, "publishing") as pool,
        ):
            self._lock(con, timeout_s)
            schema.check(con)  # an upgrade may have run after the store was opened
            taken = tables.STORE.update().values(epoch=tables.STORE.c.epoch + 1)
            epoch = con.execute(taken.returning(tables.STORE.c.epoch)).scalar_one()
            con.commit()
            publication = PostgresPublication(
                self._database,
                con,
                self.buckets,
                epoch=epoch,
                read_known=self._known_to_publisher,
                pool=pool,
            )
            publication.clear()
            self._publisher = get_ident()
            try:
                yield publication
            finally:
                publication.abandon()
                self._publisher = None
                self._compared.clear()
            # If the session is gone, the server frees the lock some time later.
            with suppress(OperationalError):
                con.execute(select(func.pg_advisory_unlock(_PUBLISH_LOCK)))

    def _lock(self, con: Connection, timeout_s: float) -> None:
        """Take the publish lock; the connection holds it until it ends."""
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

    def known(
        self,
        relation: str,
        bucket: int,
        partner_tenant_id: str,
        *,
        columns: Sequence[str] = (),
        span: Span = EVERYONE,
    ) -> pa.Table:
        """Return the known rows of a partner's cells in one bucket: see `Store.known`."""
        wanted = columns or [name for name in SCHEMAS[relation].names if name != "snapshot_id"]
        place = relation, bucket, partner_tenant_id
        found = known.read(self._database, *place, wanted, span=span)
        if not columns and self._publisher == get_ident():
            self._compared[place].append(found)
        return found

    def _known_to_publisher(self, relation: str, bucket: int, partner_tenant_id: str) -> pa.Table:
        place = relation, bucket, partner_tenant_id
        if found := self._compared.pop(place, []):
            return pa.concat_tables(found)
        return known.read(self._database, *place, tables.of_interval(relation))

    def latest_cells(self, partner_tenant_id: str) -> pa.Table:
        """Return a partner's cells: see `Store.latest_cells`."""
        latest, coverage = tables.LATEST, tables.TABLES["coverage"]
        same = [latest.c[name] == coverage.c[name] for name in (*CELL, "snapshot_id")]
        columns = [*(latest.c[name] for name in (*CELL, "snapshot_id", "status"))]
        query = select(*columns, coverage.c.scope, latest.c.sequence).where(*same)
        return self._rows(query.where(latest.c.partner_tenant_id == partner_tenant_id))

    def gaps(self, cells_and_before: pa.Table) -> pa.Table:
        """Add `gap_snapshots` to the distinct rows: see `Store.gaps`."""
        snapshot, coverage = tables.TABLES["snapshot"], tables.TABLES["coverage"]
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
        return history.gaps(cells_and_before, published, covered)

    def connect(
        self,
        *,
        customer_id: str | None = None,
        query: str | None = None,
        snapshots: Sequence[str] = (),
        products: Sequence[str] = (),
        is_sparing: bool = False,
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Open DuckDB on copies of the published snapshots, with every relation and view.

        All rows that `query` uses are copied, with `snapshots` only the rows of these snapshots,
        with `products` only rows that name one of these or none; rows that do not fit in memory
        are spilled to disk.
        To read a whole store, use `sql` or the views in the database instead.
        """
        only = None if query is None else sql.needed(query)
        return self._connect(customer_id, only, snapshots, products, is_sparing=is_sparing)

    @contextmanager
    def _connect(
        self,
        customer_id: str | None,
        only: frozenset[str] | None,
        snapshots: Sequence[str],
        products: Sequence[str],
        *,
        is_sparing: bool,
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        with ExitStack() as stack:
            with self._database.arrow() as con, con.cursor() as cursor:
                cursor.execute(BEGIN_SNAPSHOT)
                for setting, asked in ((_ASKED, snapshots), (_PRODUCTS, products)):
                    fetched(cursor, select(func.set_config(setting, ",".join(asked), true())))
                how = {"is_of_some": bool(snapshots), "is_of_products": bool(products)}
                relations = (
                    (name, streamed(cursor, _of(name, customer_id, **how)))
                    for name in sql.BASE
                    if only is None or name in only
                )
                opened = stack.enter_context(views.filled(relations, only, is_sparing=is_sparing))
                cursor.execute("COMMIT")
            yield opened

    def record_attempts(self, attempts: pa.Table) -> None:
        """Write rows of the relation `attempt`. They replace all earlier rows of the same runs."""
        rows = attempts.to_pylist()
        insert = postgresql.insert(tables.ATTEMPT)
        rest = [name for name in ATTEMPT.names if name not in ATTEMPT_KEY]
        upsert = insert.on_conflict_do_update(
            index_elements=ATTEMPT_KEY, set_={name: insert.excluded[name] for name in rest}
        )
        with self._database.translating_errors(), self._database.engine.begin() as con:
            con.execute(upsert, rows)

    def shared_files(self) -> PostgresSharedFiles:
        """Return the files that the parts of divided runs share."""
        return PostgresSharedFiles(self._database)

    def sql(self, query: str) -> pa.Table:
        """Return the rows of one read-only statement: see `Store.sql`."""
        read_only.check_text(query)
        words = sql.uncommented(query).split(maxsplit=1)
        if not words or words[0].upper().lstrip("(") not in _READING_STATEMENTS:
            raise UsageError(
                "sql: the store is read-only", hint="ask with SELECT, WITH, VALUES or TABLE"
            )
        with (
            self._database.translating_errors(),
            self._database.arrow() as con,
            con.cursor() as cursor,
        ):
            cursor.execute("BEGIN READ ONLY")
            try:
                cursor.execute(query)
                found: pa.Table = cursor.fetch_arrow_table()
                cursor.execute("ROLLBACK")  # undoes settings for the next statement
                cursor.execute(
                    "SELECT pg_advisory_unlock_all()"
                )  # these locks outlive a transaction
                cursor.fetchall()
            except dbapi.Error as error:
                if is_of_statement(error):
                    message = self._database.hide(str(error).strip().splitlines()[0])
                    raise reading.refused(message) from error
                raise
        return found

    def snapshot(self, name: str) -> dict[str, Any]:
        """Return the row of one snapshot."""
        found = self.arrow("snapshot", snapshot_id=self.snapshot_id(name)).to_pylist()
        row: dict[str, Any] = found[0]
        return row

    def verify(self, name: str) -> list[StoreError]:
        """Return one StoreCorrupt for each relation that differs from what was published."""
        snapshot_id = self.snapshot_id(name)
        with self._database.translating_errors(), self._database.engine.connect() as con:
            published = upkeep.published(con, snapshot_id)
            version = upkeep.schema_version(con, snapshot_id)
        faults = (
            upkeep.fault(
                snapshot_id,
                relation,
                expected,
                self._rows(upkeep.rows_of(relation, snapshot_id)),
                version=version,
            )
            for relation, expected in published.items()
        )
        return [fault for fault in faults if fault is not None]

    def prune(self, keep: timedelta, now: datetime, *, apply: bool) -> pa.Table:
        """Return the snapshots that can be pruned; with `apply`, prune them: see `Store.prune`."""
        if not apply:
            with self._database.translating_errors(), self._database.engine.connect() as con:
                return upkeep.plan(con, now - keep)
        with self.publishing(timeout_s=60.0) as publication, publication.fenced() as con:
            return upkeep.prune(con, now - keep, now)

    def customers_ever(self) -> list[CustomerName]:
        """Return every customer that a snapshot names: see `Store.customers_ever`."""
        customer = tables.TABLES["customer"].c
        columns = (customer.customer_id, customer.company_name, customer.domain)
        found = self._rows(select(*columns).distinct()).to_pylist()
        return [
            CustomerName(
                customer_id=row["customer_id"],
                company_name=row["company_name"] or "",
                domain=row["domain"] or "",
            )
            for row in found
        ]

    def forget(self, traces: Traces, *, apply: bool) -> pa.Table:
        """Return how much holds a customer; with `apply`, erase it: see `Store.forget`."""
        if not apply:
            return erasure.table(Erasure(self._rows, traces).rows())
        with self.publishing(timeout_s=60.0) as publication:
            found = Erasure(self._rows, traces)
            if rows := found.rows():
                with publication.fenced() as con:
                    found.apply(con)
        return erasure.table(rows)

    def _rows(self, query: Select[Any]) -> pa.Table:
        with self._database.arrow() as con, con.cursor() as cursor:
            return fetched(cursor, query)


def _of(
    name: str, customer_id: str | None, *, is_of_some: bool, is_of_products: bool
) -> Select[Any]:
    """Return the query for a base view.

    With `customer_id`, for that customer and the catalog. With `is_of_some`, for the rows of the
    snapshots in the setting `_ASKED`, if the view is a relation other than `snapshot`: COPY, which
    streams, binds no values. With `is_of_products`, for rows that name no product, or one of those
    in the setting `_PRODUCTS`.
    """
    query = select(text("*")).select_from(table(name))
    if is_of_some and name in SCHEMAS and name != "snapshot":
        query = query.where(column("snapshot_id", Text) == any_(_listed(_ASKED)))
    schema = SCHEMAS.get(name.removeprefix("current_"))
    if schema is None:
        return query
    if is_of_products and "product_id" in schema.names:
        product = column("product_id", Text)
        query = query.where(or_(product == "", product == any_(_listed(_PRODUCTS))))
    if customer_id is None or "customer_id" not in schema.names:
        return query
    return query.where(column("customer_id", Text).in_((customer_id, "")))


def _listed(setting: str) -> ColumnElement[Any]:
    """Return the texts of a setting, as an array."""
    return literal_column(f"string_to_array(current_setting('{setting}'), ',')", ARRAY(Text))
