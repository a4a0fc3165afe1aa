"""The transaction that publishes: it takes what is staged to where it belongs.

A night with much news is moved a part at a time while the rest is still being compared; nobody sees
any of it before the end. See docs/decisions/0017.
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
from auditor.store.postgres import tables as places
from auditor.store.postgres.connection import Database
from auditor.tables import PER_SNAPSHOT, STATE

AT_ONCE = 50_000
"""Rows that are worth moving before the end."""
_NO_BUCKET = -1
_WHOLE = ("hashjoin", "mergejoin")
"""Ways to join that read a table from end to end."""
MANY = 20_000
"""As many look-ups take longer than reading a large table once may; as many are deleted apart."""

_Which = ColumnElement[bool]


class _Part(NamedTuple):
    """Rows that are moved together."""

    name: str
    """Of their table."""
    buckets: tuple[int, ...]
    over: int
    """How many of them end something."""
    begun: int


class Moving:
    """One snapshot's staged rows, and the transaction they go in.

    A large bucket is moved once another one of its table is being staged: of what ends, and what
    begins in its stead, nothing may be missing. What refers to the row of the snapshot is moved at
    the end.
    """

    def __init__(self, database: Database, con: Connection, pool: Executor, epoch: int) -> None:
        """Take the connection that holds the publish lock: when it is lost both are."""
        self._database = database
        self._con = con
        self._pool = pool
        self._epoch = epoch
        self._staged: dict[str, dict[int, tuple[int, int]]] = {name: {} for name in places.STAGED}
        """What is still to be moved, by table and bucket: how much is over, and how much begins."""
        self._moved: set[tuple[str, int]] = set()
        self._under_way: Future[None] | None = None
        self._deleting: list[Future[None]] = []

    def note(self, name: str, table: pa.Table) -> None:
        """Take in that rows were staged, and begin to move whole buckets where these are large."""
        bucket = _NO_BUCKET if name in PER_SNAPSHOT else table["bucket"][0].as_py()
        if (name, bucket) in self._moved:
            raise Bug(f"{name}: bucket {bucket} is written once more")
        over = pc.sum(table["is_over"]).as_py() if "is_over" in table.column_names else 0
        staged = self._staged[name]
        before = staged.get(bucket, (0, 0))
        staged[bucket] = before[0] + over, before[1] + table.num_rows - over
        is_free = self._under_way is None or self._under_way.done()
        if is_free and sum(sum(staged[other]) for other in staged if other != bucket) >= AT_ONCE:
            self._wait()
            parts = [self._taken(name, [other]) for other in [*staged] if other != bucket]
            self._under_way = self._pool.submit(self._move_early, parts)

    def _taken(self, name: str, buckets: Iterable[int]) -> _Part:
        counts = {bucket: self._staged[name].pop(bucket) for bucket in buckets}
        self._moved.update((name, bucket) for bucket in counts)
        over, begun = (sum(count) for count in zip((0, 0), *counts.values(), strict=True))
        return _Part(name, tuple(counts), over, begun)

    def _move_early(self, parts: Iterable[_Part]) -> None:
        with self._database.telling():
            self._move(self._begun(), parts)

    def _wait(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def abandon(self) -> None:
        """Leave the transaction, if there is one, as if it had never been."""
        with suppress(AuditorError):  # what becomes of it does not matter any more
            self._wait()
        with suppress(DBAPIError):  # the connection is gone, and the transaction with it
            self._con.rollback()
        while self._deleting:
            with suppress(AuditorError):  # who publishes next deletes what is there
                self._deleting.pop().result()

    @contextmanager
    def ending(self) -> Iterator[int]:
        """Give the snapshot's sequence, and commit what the block does.

        Raises LockLost where somebody else has taken the publish lock since.
        """
        with self._database.telling():
            try:
                self._wait()
                sequence = self._begun()
                fence(self._con, self._epoch)
                yield sequence
                self._con.commit()
            finally:
                self.abandon()

    def rest(self, sequence: int) -> None:
        """Move what is left, now that the row of the snapshot is there."""
        for name, staged in self._staged.items():
            is_large = sum(map(sum, staged.values())) >= AT_ONCE
            together = [[bucket] for bucket in staged] if is_large else [[*staged]]
            self._move(sequence, [self._taken(name, buckets) for buckets in together])

    def end(self, relation: str, cells: Sequence[Cell], sequence: int) -> None:
        """End the intervals of cells that hold nothing of a relation any more."""
        columns = conform.cell_columns(relation)
        empty = [
            cell
            for cell in cells
            if ("customer_id" in columns or not cell.customer_id)
            and ("country" in columns or not cell.country)
        ]
        if not empty:
            return
        _join(self._con, len(empty))
        intervals, texts = places.TABLES[relation], postgresql.ARRAY(Text)
        cell = select(
            *(
                func.unnest(literal([getattr(cell, name) for cell in empty], texts)).label(name)
                for name in columns
            )
        ).subquery()
        inside = [intervals.c[name] == cell.c[name] for name in columns]
        is_open = intervals.c.valid_to.is_(None)
        self._con.execute(update(intervals).where(is_open, *inside).values(valid_to=sequence))

    def _begun(self) -> int:
        """Return the snapshot's sequence; the transaction may wait long for its next part."""
        if not self._con.in_transaction():
            never = func.set_config("idle_in_transaction_session_timeout", "0", true())
            self._con.execute(select(never))
        return next_sequence(self._con)

    def _move(self, sequence: int, parts: Iterable[_Part]) -> None:
        for part in parts:
            staged = places.STAGED[part.name]
            ours = [staged.c.epoch == self._epoch]
            if part.name not in PER_SNAPSHOT:
                ours.append(staged.c.bucket.in_(part.buckets))
            if part.over:
                self._close(part, ours, sequence)
            if part.begun:
                self._open(part, ours, sequence)
            if part.over + part.begun >= MANY:
                self._deleting.append(self._pool.submit(self._delete, part.name, ours))
            elif part.over or part.begun:
                self._con.execute(delete(staged).where(*ours))

    def _delete(self, name: str, ours: Sequence[_Which]) -> None:
        """Delete many rows that were moved while others are: if that fails all is staged anew."""
        with self._database.telling(), self._database.engine.begin() as con:
            con.execute(delete(places.STAGED[name]).where(*ours))

    def _close(self, part: _Part, ours: Sequence[_Which], sequence: int) -> None:
        """End the intervals of what changed or went."""
        intervals, staged = places.TABLES[part.name], places.STAGED[part.name]
        _join(self._con, part.over)
        key = [intervals.c[name] == staged.c[name] for name in places.key(part.name)]
        of = [intervals.c.valid_to.is_(None), *ours, staged.c.is_over]
        ended = self._con.execute(update(intervals).where(*of, *key).values(valid_to=sequence))
        _check(part.name, part.over, ended.rowcount)

    def _open(self, part: _Part, ours: Sequence[_Which], sequence: int) -> None:
        table, staged = places.TABLES[part.name], places.STAGED[part.name]
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
        latest, staged = places.LATEST, places.STAGED["coverage"]
        names = ["partner_tenant_id", "customer_id", "country", "snapshot_id", "status"]
        rows = select(*(staged.c[n] for n in names), literal(sequence, BigInteger))
        statement = postgresql.insert(latest).from_select(
            [*names, "sequence"], rows.where(staged.c.epoch == self._epoch)
        )
        newer = {n: statement.excluded[n] for n in ("snapshot_id", "status", "sequence")}
        self._con.execute(statement.on_conflict_do_update(index_elements=names[:3], set_=newer))


def _check(name: str, expected: int, found: int) -> None:
    """Raise unless all that was staged was there: a crash of the server empties it."""
    if found != expected:
        raise StoreFailed(
            f"{places.STAGED[name].name}: {expected} rows were staged, {found} are there",
            hint="the server may have restarted: try again with --resume",
        )


def _join(con: Connection, rows: int) -> None:
    """Let few rows be looked up: a planner without counts would read and hash all of a table."""
    allowed = "off" if rows < MANY else "on"
    con.execute(select(*(func.set_config(f"enable_{way}", allowed, true()) for way in _WHOLE)))


def fence(con: Connection, epoch: int) -> None:
    """Raise LockLost where somebody has taken the lock after this epoch; nobody can any more."""
    mine = places.STORE.c.epoch == epoch
    held = con.execute(update(places.STORE).where(mine).values(epoch=epoch))
    if held.rowcount != 1:
        raise LockLost(
            "another publisher has taken the publish lock since: nothing is published",
            hint="try again with --resume",
        )


def next_sequence(con: Connection) -> int:
    """Return the place of the next snapshot in the order of publication."""
    sequence = places.TABLES["snapshot"].c.sequence
    return int(con.execute(select(func.coalesce(func.max(sequence), 0))).scalar_one()) + 1
