"""Runs the transaction that publishes a snapshot: it moves staged rows to the published tables.

If a night has many changes, the rows of a bucket are moved while other buckets are still being
compared. Nobody sees moved rows before the commit. See docs/decisions/0017.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Text,
    delete,
    func,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

from auditor.errors import AuditorError, Bug, LockLost, StoreFailed
from auditor.model import Cell
from auditor.store import conform
from auditor.store.postgres import tables
from auditor.store.postgres.connection import Database
from auditor.tables import PER_SNAPSHOT, STATE

AT_ONCE = 50_000
"""Rows of a table that must be staged before rows are moved, while others are still compared."""
_NO_BUCKET = -1
_WHOLE = ("hashjoin", "mergejoin")
"""Join methods that read a whole table."""
MANY = 20_000
"""If at least this many rows are moved, joins may read the whole table, and the staged rows are
deleted in a thread.

This many look-ups can take longer than reading a large table once."""

_Condition = ColumnElement[bool]


class _Part(NamedTuple):
    """Describes staged rows of one table that are moved together."""

    name: str
    """The name of the table."""
    buckets: tuple[int, ...]
    ended: int
    """Number of rows that end an interval."""
    begun: int
    """Number of rows that begin an interval, or are facts of the snapshot."""


class PublishTransaction:
    """The transaction in which the staged rows of one snapshot are moved.

    A large bucket is moved when another bucket of the same table is being staged. By then, all rows
    of the bucket are staged: those that end an interval, and those that begin the next interval.
    Rows that refer to the snapshot's own row are moved last.
    """

    def __init__(self, database: Database, con: Connection, pool: Executor, epoch: int) -> None:
        """`con` holds the publish lock. If `con` is lost, lock and transaction are lost too."""
        self._database = database
        self._con = con
        self._pool = pool
        self._epoch = epoch
        self._staged: dict[str, dict[int, tuple[int, int]]] = {name: {} for name in tables.STAGED}
        """The numbers of rows to be moved, by table and bucket: (ended, begun) as in `_Part`."""
        self._moved: set[tuple[str, int]] = set()
        self._under_way: Future[None] | None = None
        self._deleting: list[Future[None]] = []

    def add_staged(self, name: str, table: pa.Table) -> None:
        """Count staged rows; if the complete buckets hold enough rows, start to move them."""
        bucket = _NO_BUCKET if name in PER_SNAPSHOT else table["bucket"][0].as_py()
        if (name, bucket) in self._moved:
            raise Bug(f"{name}: bucket {bucket} is written twice")
        ended = pc.sum(table["is_over"]).as_py() if "is_over" in table.column_names else 0
        staged = self._staged[name]
        before = staged.get(bucket, (0, 0))
        staged[bucket] = before[0] + ended, before[1] + table.num_rows - ended
        is_free = self._under_way is None or self._under_way.done()
        if is_free and sum(sum(staged[other]) for other in staged if other != bucket) >= AT_ONCE:
            self._wait()
            parts = [self._take(name, [other]) for other in [*staged] if other != bucket]
            self._under_way = self._pool.submit(self._move_early, parts)

    def _take(self, name: str, buckets: Iterable[int]) -> _Part:
        counts = {bucket: self._staged[name].pop(bucket) for bucket in buckets}
        self._moved.update((name, bucket) for bucket in counts)
        ended, begun = (sum(count) for count in zip((0, 0), *counts.values(), strict=True))
        return _Part(name, tuple(counts), ended, begun)

    def _move_early(self, parts: Iterable[_Part]) -> None:
        with self._database.translating_errors():
            self._move(self._begin(), parts)

    def _wait(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def abandon(self) -> None:
        """Roll back the transaction, if there is one."""
        with suppress(AuditorError):  # an error no longer matters
            self._wait()
        with suppress(DBAPIError):  # the connection is gone, and the transaction with it
            self._con.rollback()
        while self._deleting:
            with suppress(AuditorError):  # the next publisher deletes rows that are left
                self._deleting.pop().result()

    @contextmanager
    def committing(self) -> Iterator[int]:
        """Yield the snapshot's sequence, and commit at the end of the `with` block.

        Raises LockLost if another process has taken the publish lock.
        """
        with self._database.translating_errors():
            try:
                self._wait()
                sequence = self._begin()
                fence(self._con, self._epoch)
                yield sequence
                self._con.commit()
            finally:
                self.abandon()

    def move_rest(self, sequence: int) -> None:
        """Move the remaining rows. The row of `snapshot` must have been inserted before."""
        for name, staged in self._staged.items():
            is_large = sum(map(sum, staged.values())) >= AT_ONCE
            together = [[bucket] for bucket in staged] if is_large else [[*staged]]
            self._move(sequence, [self._take(name, buckets) for buckets in together])

    def end_intervals(self, relation: str, cells: Sequence[Cell], sequence: int) -> None:
        """End the open intervals of a relation in these cells, which have no rows of it now."""
        columns = conform.cell_columns(relation)
        empty = [
            cell
            for cell in cells
            if ("customer_id" in columns or not cell.customer_id)
            and ("country" in columns or not cell.country)
        ]
        if not empty:
            return
        _choose_joins(self._con, len(empty))
        intervals, texts = tables.TABLES[relation], postgresql.ARRAY(Text)
        cell = select(
            *(
                func.unnest(literal([getattr(cell, name) for cell in empty], texts)).label(name)
                for name in columns
            )
        ).subquery()
        inside = [intervals.c[name] == cell.c[name] for name in columns]
        is_open = intervals.c.valid_to.is_(None)
        self._con.execute(update(intervals).where(is_open, *inside).values(valid_to=sequence))

    def _begin(self) -> int:
        """Begin the transaction unless it has begun; return the snapshot's sequence."""
        if not self._con.in_transaction():
            # the transaction may be idle for long between two moves
            no_timeout = func.set_config("idle_in_transaction_session_timeout", "0", true())
            self._con.execute(select(no_timeout))
        return next_sequence(self._con)

    def _move(self, sequence: int, parts: Iterable[_Part]) -> None:
        for part in parts:
            staged = tables.STAGED[part.name]
            ours = [staged.c.epoch == self._epoch]
            if part.name not in PER_SNAPSHOT:
                ours.append(staged.c.bucket.in_(part.buckets))
            if part.ended:
                self._close(part, ours, sequence)
            if part.begun:
                self._open(part, ours, sequence)
            if part.ended + part.begun >= MANY:
                self._deleting.append(self._pool.submit(self._delete, part.name, ours))
            elif part.ended or part.begun:
                self._con.execute(delete(staged).where(*ours))

    def _delete(self, name: str, ours: Sequence[_Condition]) -> None:
        """Delete staged rows that were moved, while other rows are being moved.

        If publishing fails, these rows are not needed: the next try stages all rows anew.
        """
        with self._database.translating_errors(), self._database.engine.begin() as con:
            con.execute(delete(tables.STAGED[name]).where(*ours))

    def _close(self, part: _Part, ours: Sequence[_Condition], sequence: int) -> None:
        """End the intervals of rows that changed or disappeared."""
        intervals, staged = tables.TABLES[part.name], tables.STAGED[part.name]
        _choose_joins(self._con, part.ended)
        key = [intervals.c[name] == staged.c[name] for name in tables.key(part.name)]
        of = [intervals.c.valid_to.is_(None), *ours, staged.c.is_over]
        ended = self._con.execute(update(intervals).where(*of, *key).values(valid_to=sequence))
        _check(part.name, part.ended, ended.rowcount)

    def _open(self, part: _Part, ours: Sequence[_Condition], sequence: int) -> None:
        table, staged = tables.TABLES[part.name], tables.STAGED[part.name]
        shared = [column.name for column in table.c if column.name in staged.c]
        columns: dict[str, ColumnElement[Any]] = {one: staged.c[one] for one in shared}
        if part.name in STATE:
            columns["valid_from"] = literal(sequence, BigInteger)
            ours = [*ours, staged.c.is_over.is_(False)]
        rows = select(*columns.values()).where(*ours)
        begun = postgresql.insert(table).from_select([*columns], rows)
        begun = begun.execution_options(preserve_rowcount=True)
        if part.name == "change":
            found = self._con.execute(select(func.count()).where(*ours)).scalar_one()
            self._con.execute(begun.on_conflict_do_nothing(index_elements=["event_id"]))
        else:
            found = self._con.execute(begun).rowcount
        _check(part.name, part.begun, found)
        if part.name == "coverage":
            self._open_latest(sequence)

    def _open_latest(self, sequence: int) -> None:
        latest, staged = tables.LATEST, tables.STAGED["coverage"]
        names = ["partner_tenant_id", "customer_id", "country", "snapshot_id", "status"]
        rows = select(*(staged.c[n] for n in names), literal(sequence, BigInteger))
        statement = postgresql.insert(latest).from_select(
            [*names, "sequence"], rows.where(staged.c.epoch == self._epoch)
        )
        newer = {n: statement.excluded[n] for n in ("snapshot_id", "status", "sequence")}
        self._con.execute(statement.on_conflict_do_update(index_elements=names[:3], set_=newer))


def _check(name: str, expected: int, found: int) -> None:
    """Raise StoreFailed if staged rows are missing: a crash of the server empties these tables."""
    if found != expected:
        raise StoreFailed(
            f"{tables.STAGED[name].name}: {expected} rows were staged, {found} are there",
            hint="the server may have restarted: try again with --resume",
        )


def _choose_joins(con: Connection, rows: int) -> None:
    """Make the server look up single rows if there are few, because it lacks statistics.

    Without statistics it would hash a whole table.
    """
    allowed = "off" if rows < MANY else "on"
    con.execute(select(*(func.set_config(f"enable_{way}", allowed, true()) for way in _WHOLE)))


def fence(con: Connection, epoch: int) -> None:
    """Raise LockLost if another process took the lock later than this one.

    Otherwise, no other process can publish until this transaction commits.
    """
    mine = tables.STORE.c.epoch == epoch
    held = con.execute(update(tables.STORE).where(mine).values(epoch=epoch))
    if held.rowcount != 1:
        raise LockLost(
            "another publisher has taken the publish lock meanwhile: nothing is published",
            hint="try again with --resume",
        )


def next_sequence(con: Connection) -> int:
    """Return the place of the next snapshot in the order of publication."""
    sequence = tables.TABLES["snapshot"].c.sequence
    return int(con.execute(select(func.coalesce(func.max(sequence), 0))).scalar_one()) + 1
