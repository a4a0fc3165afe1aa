"""One snapshot on its way into PostgreSQL: staged by COPY, published by one transaction."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Text,
    delete,
    func,
    insert,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql

from auditor.errors import (
    AuditorError,
    Bug,
    LockLost,
    StoreError,
    StoreFailed,
    StoreUnreachable,
    UsageError,
)
from auditor.store import conform, manifest, places
from auditor.store.covering import Covering
from auditor.store.database import Database
from auditor.store.digest import added, digest
from auditor.store.intervals import news
from auditor.tables import SCHEMA_VERSION, SCHEMAS, STATE

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_WHOLE = ("hashjoin", "mergejoin")
"""Ways to join that read a table from end to end."""
MANY = 20_000
"""As many look-ups take longer than reading a large table once may."""
Known = Callable[[str, int, str], pa.Table]
"""Gives what is known of a relation in a bucket of a partner: at least what intervals hold."""


class Loading:
    """Writes snapshots while the publish lock is held; `PostgresStore.publishing` makes it.

    `epoch` is the fencing token: whoever has taken the lock since has a higher one, and the
    publishing transaction finds out. See docs/decisions/0014.
    """

    def __init__(
        self, database: Database, buckets: int, epoch: int, known: Known, pool: Executor
    ) -> None:
        """Take where rows are copied while the next ones are compared."""
        self._database = database
        self._buckets = buckets
        self._pool = pool
        self._under_way: Future[None] | None = None
        self._epoch = epoch
        self._known = known
        self._start("")

    def _start(self, snapshot_id: str) -> None:
        self._snapshot_id = snapshot_id
        self._rows: Counter[str] = Counter()
        self._digest: dict[str, int] = {}
        self._changes: list[pa.Table] = []
        self._staged: Counter[tuple[str, bool]] = Counter()
        """By table, and whether they are over."""
        self._covering = Covering()

    @property
    def sequence(self) -> int:
        """The place of the snapshot in the order of publication."""
        with self._database.telling(), self._database.engine.connect() as con:
            return _next_sequence(con)

    def stage(self, snapshot_id: str) -> bool:
        """Begin a snapshot, and return whether it is still to be published.

        One that is published already may be staged again: `commit` then changes nothing.
        """
        if not _ID.fullmatch(snapshot_id):
            raise UsageError(f"{snapshot_id!r} is not a snapshot id")
        if self._snapshot_id:  # who took the lock has cleared up
            self.clear()
        self._start(snapshot_id)
        return self._published() is None

    def clear(self) -> None:
        """Remove what is staged: whoever holds the lock is the only one who stages."""
        with suppress(AuditorError):  # what becomes of it does not matter any more
            self._wait()
        with self._database.telling(), self._database.engine.begin() as con:
            for staged in places.STAGED.values():
                con.execute(delete(staged))

    def write(self, relation: str, bucket: int, table: pa.Table) -> None:
        """Stage what is new in rows of one bucket of a relation: all, or the next customers'."""
        if not self._snapshot_id:
            raise Bug("write before stage")
        table = conform.conformed(relation, table, self._snapshot_id)
        if not table.num_rows:
            return
        conform.check_bucket(relation, table, bucket, self._buckets)
        self._rows[relation] += table.num_rows
        self._covering.note(relation, table)
        if relation == "change":
            self._changes.append(table)
        else:
            self._digest[relation] = added(self._digest.get(relation, 0), digest(table))
        if relation not in STATE:
            self._copy([(relation, table)])
            return
        partners = table.column("partner_tenant_id").unique().to_pylist()
        known = pa.concat_tables([self._known(relation, bucket, one) for one in partners])
        staged = news(relation, known, table)
        self._copy([(name, _in_bucket(found, bucket)) for name, found in staged])

    def _copy(self, tables: Sequence[tuple[str, pa.Table]]) -> None:
        """Begin to copy, one batch of tables at a time; what went wrong before is raised now."""
        self._wait()
        self._under_way = self._pool.submit(self._copied, tables)

    def _wait(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def _copied(self, tables: Sequence[tuple[str, pa.Table]]) -> None:
        with self._database.arrow() as con, con.cursor() as cursor:
            for name, table in tables:
                if table.num_rows:
                    epoch = pa.repeat(pa.scalar(self._epoch, pa.int64()), table.num_rows)
                    whole = conform.plain(table).append_column("epoch", epoch)
                    staged = places.STAGED[name].name
                    cursor.adbc_ingest(staged, whole, mode="append", db_schema_name=places.SCHEMA)
                    self._count(name, table)

    def _count(self, name: str, table: pa.Table) -> None:
        over = pc.sum(table["is_over"]).as_py() if "is_over" in table.column_names else 0
        self._staged[name, True] += over
        self._staged[name, False] += table.num_rows - over

    def commit(self, snapshot_row: Mapping[str, object], config_hash: str) -> bool:
        """Publish what was staged and return whether it is new.

        The same snapshot published before with the same configuration is left as it is. `sequence`,
        `schema_version` and the row counts are filled in where `snapshot_row` has none.
        """
        if not self._snapshot_id:
            raise Bug("commit before stage")
        published = self._published()
        if published is not None:
            self.clear()
            if published != config_hash:
                raise StoreError(f"{self._snapshot_id} is published with another configuration")
            return False
        self._covering.check()
        self._wait()
        try:
            with self.fenced() as con:
                self._publish(con, snapshot_row, config_hash)
        except StoreUnreachable:
            if not self._is_committed():
                raise
        self._start("")
        return True

    def _is_committed(self) -> bool:
        """Ask whether a transaction took place whose reply never came.

        It holds the row of the token until it ends, so the answer is the last word.
        """
        with self._database.telling(), self._database.engine.begin() as con:
            con.execute(select(places.STORE.c.epoch).with_for_update())
            return _config_hash(con, self._snapshot_id) is not None

    def _published(self) -> str | None:
        with self._database.telling(), self._database.engine.connect() as con:
            return _config_hash(con, self._snapshot_id)

    @contextmanager
    def fenced(self) -> Iterator[Connection]:
        """Give a transaction that nobody who took the lock since can be behind; else Locked."""
        with self._database.telling(), self._database.engine.begin() as con:
            mine = places.STORE.c.epoch == self._epoch
            held = con.execute(update(places.STORE).where(mine).values(epoch=self._epoch))
            if held.rowcount != 1:
                raise LockLost(
                    "another publisher has taken the publish lock since: nothing is published",
                    hint="try again with --resume",
                )
            yield con

    def _publish(self, con: Connection, given: Mapping[str, object], config_hash: str) -> None:
        sequence = _next_sequence(con)
        row = {
            "inventory_rows": self._rows["inventory"],
            "availability_rows": self._rows["availability"],
            "changes": self._rows["change"],
            "schema_version": SCHEMA_VERSION,
            **given,
            "snapshot_id": self._snapshot_id,
            "sequence": sequence,
        }
        manifest.snapshot_table(row)  # raises Bug unless every column is given
        con.execute(insert(places.TABLES["snapshot"]).values(row))
        noted = {"snapshot_id": self._snapshot_id, "config_hash": config_hash}
        con.execute(insert(places.PUBLICATION).values(noted))
        for name, staged in places.STAGED.items():
            if name in STATE:
                self._close(con, name, sequence)
            if self._staged[name, False]:
                self._move(con, name, sequence)
            con.execute(delete(staged).where(staged.c.epoch == self._epoch))
        self._keep_digests(con, row)

    def _keep_digests(self, con: Connection, row: Mapping[str, object]) -> None:
        """Write what each relation comes to: changes are those that were not there before."""
        change = places.TABLES["change"].c
        mine = con.execute(select(change.event_id).where(change.snapshot_id == self._snapshot_id))
        new = pa.array(mine.scalars().all(), pa.string())
        kept = [table.filter(pc.is_in(table["event_id"], new)) for table in self._changes]
        digests = {
            **self._digest,
            "snapshot": digest(manifest.snapshot_table(row)),
            "change": reduce(added, map(digest, kept), 0),
        }
        counts = {**self._rows, "snapshot": 1, "change": len(new)}
        con.execute(
            insert(places.DIGEST),
            [
                {
                    "snapshot_id": self._snapshot_id,
                    "relation": relation,
                    "row_count": counts.get(relation, 0),
                    "digest": digests.get(relation, 0),
                }
                for relation in SCHEMAS
            ],
        )

    def _check(self, name: str, *, is_over: bool, found: int) -> None:
        """Raise unless all that was staged was there: a crash of the server empties it."""
        expected = self._staged[name, is_over]
        if found != expected:
            raise StoreFailed(
                f"{places.STAGED[name].name}: {expected} rows were staged, {found} are there",
                hint="the server may have restarted: try again with --resume",
            )

    def _close(self, con: Connection, relation: str, sequence: int) -> None:
        """End the intervals of what changed, went, or lies in a cell that holds nothing more."""
        intervals, staged = places.TABLES[relation], places.STAGED[relation]
        is_open = intervals.c.valid_to.is_(None)
        # few of very many rows end: a planner without counts would read and hash all of them
        allowed = "off" if self._staged[relation, True] < MANY else "on"
        ways = [func.set_config(f"enable_{way}", allowed, true()) for way in _WHOLE]
        con.execute(select(*ways))
        if self._staged[relation, True]:
            key = [intervals.c[name] == staged.c[name] for name in places.key(relation)]
            ours = [staged.c.epoch == self._epoch, staged.c.is_over]
            ends = update(intervals).where(is_open, *ours, *key).values(valid_to=sequence)
            self._check(relation, is_over=True, found=con.execute(ends).rowcount)
        columns = conform.cell_columns(relation)
        empty = [
            cell
            for cell in self._covering.without_rows(relation)
            if ("customer_id" in columns or not cell.customer_id)
            and ("country" in columns or not cell.country)
        ]
        if empty:
            texts = postgresql.ARRAY(Text)
            cells = select(
                *(
                    func.unnest(literal([getattr(cell, name) for cell in empty], texts)).label(name)
                    for name in columns
                )
            ).subquery()
            inside = [intervals.c[name] == cells.c[name] for name in columns]
            con.execute(update(intervals).where(is_open, *inside).values(valid_to=sequence))

    def _move(self, con: Connection, name: str, sequence: int) -> None:
        table, staged = places.TABLES[name], places.STAGED[name]
        ours = [staged.c.epoch == self._epoch]
        shared = [column.name for column in table.c if column.name in staged.c]
        columns: dict[str, ColumnElement[Any]] = {one: staged.c[one] for one in shared}
        if name in STATE:
            columns["valid_from"] = literal(sequence, BigInteger)
            ours.append(staged.c.is_over.is_(False))
        rows = select(*columns.values()).where(*ours)
        begun = postgresql.insert(table).from_select([*columns], rows)
        begun = begun.execution_options(preserve_rowcount=True)
        if name == "change":
            found = con.execute(select(func.count()).where(*ours)).scalar_one()
            con.execute(begun.on_conflict_do_nothing(index_elements=["event_id"]))
        else:
            found = con.execute(begun).rowcount
        self._check(name, is_over=False, found=found)
        if name == "coverage":
            self._move_latest(con, sequence)

    def _move_latest(self, con: Connection, sequence: int) -> None:
        latest, staged = places.LATEST, places.STAGED["coverage"]
        names = ["partner_tenant_id", "customer_id", "country", "snapshot_id", "status"]
        rows = select(*(staged.c[n] for n in names), literal(sequence, BigInteger))
        statement = postgresql.insert(latest).from_select(
            [*names, "sequence"], rows.where(staged.c.epoch == self._epoch)
        )
        newer = {n: statement.excluded[n] for n in ("snapshot_id", "status", "sequence")}
        con.execute(statement.on_conflict_do_update(index_elements=names[:3], set_=newer))


def _in_bucket(table: pa.Table, bucket: int) -> pa.Table:
    return table.append_column("bucket", pa.repeat(pa.scalar(bucket, pa.int16()), table.num_rows))


def _next_sequence(con: Connection) -> int:
    sequence = places.TABLES["snapshot"].c.sequence
    return int(con.execute(select(func.coalesce(func.max(sequence), 0))).scalar_one()) + 1


def _config_hash(con: Connection, snapshot_id: str) -> str | None:
    hashes = select(places.PUBLICATION.c.config_hash)
    found: str | None = con.execute(
        hashes.where(places.PUBLICATION.c.snapshot_id == snapshot_id)
    ).scalar()
    return found
