"""One snapshot on its way into PostgreSQL: staged by COPY, published by one transaction."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    Connection,
    delete,
    insert,
    select,
)

from auditor.errors import (
    AuditorError,
    Bug,
    StoreError,
    StoreUnreachable,
    UsageError,
)
from auditor.store import conform
from auditor.store.covered_cells import Covering
from auditor.store.postgres import tables as places
from auditor.store.postgres.connection import Database
from auditor.store.postgres.digest import added, digest
from auditor.store.postgres.intervals import news
from auditor.store.postgres.transaction import Moving, fence, next_sequence
from auditor.tables import SCHEMA_VERSION, SCHEMAS, STATE

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
Known = Callable[[str, int, str], pa.Table]
"""Gives what is known of a relation in a bucket of a partner: at least what intervals hold."""


class Loading:
    """Writes snapshots while the publish lock is held; `PostgresStore.publishing` makes it.

    `epoch` is the fencing token: whoever has taken the lock since has a higher one, and the
    publishing transaction finds out. See docs/decisions/0014.
    """

    def __init__(
        self,
        database: Database,
        con: Connection,
        buckets: int,
        *,
        epoch: int,
        known: Known,
        pool: Executor,
    ) -> None:
        """Take who holds the lock, and threads: to copy, to move and to delete."""
        self._database = database
        self._con = con
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
        self._moving = Moving(self._database, self._con, self._pool, self._epoch)
        self._covering = Covering()

    @property
    def sequence(self) -> int:
        """The place of the snapshot in the order of publication."""
        with self._database.telling(), self._database.engine.connect() as con:
            return next_sequence(con)

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

    def abandon(self) -> None:
        """Leave what was written of a snapshot that is not committed."""
        with suppress(AuditorError):  # what becomes of it does not matter any more
            self._wait()
        self._moving.abandon()

    def clear(self) -> None:
        """Remove what is staged: whoever holds the lock is the only one who stages."""
        self.abandon()
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
                    self._moving.note(name, table)

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
            with self._moving.ending() as sequence:
                self._publish(sequence, snapshot_row, config_hash)
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
        with self._database.telling(), self._con.begin():
            fence(self._con, self._epoch)
            yield self._con

    def _publish(self, sequence: int, given: Mapping[str, object], config_hash: str) -> None:
        row = {
            "inventory_rows": self._rows["inventory"],
            "availability_rows": self._rows["availability"],
            "changes": self._rows["change"],
            "schema_version": SCHEMA_VERSION,
            **given,
            "snapshot_id": self._snapshot_id,
            "sequence": sequence,
        }
        conform.snapshot_table(row)  # raises Bug unless every column is given
        self._con.execute(insert(places.TABLES["snapshot"]).values(row))
        noted = {"snapshot_id": self._snapshot_id, "config_hash": config_hash}
        self._con.execute(insert(places.PUBLICATION).values(noted))
        self._moving.rest(sequence)
        for relation in STATE:
            empty = self._covering.without_rows(relation)
            self._moving.end(relation, empty, sequence)
        self._keep_digests(row)

    def _keep_digests(self, row: Mapping[str, object]) -> None:
        """Write what each relation comes to: changes are those that were not there before."""
        change = places.TABLES["change"].c
        mine = self._con.execute(
            select(change.event_id).where(change.snapshot_id == self._snapshot_id)
        )
        new = pa.array(mine.scalars().all(), pa.string())
        kept = [table.filter(pc.is_in(table["event_id"], new)) for table in self._changes]
        digests = {
            **self._digest,
            "snapshot": digest(conform.snapshot_table(row)),
            "change": reduce(added, map(digest, kept), 0),
        }
        counts = {**self._rows, "snapshot": 1, "change": len(new)}
        self._con.execute(
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


def _in_bucket(table: pa.Table, bucket: int) -> pa.Table:
    return table.append_column("bucket", pa.repeat(pa.scalar(bucket, pa.int16()), table.num_rows))


def _config_hash(con: Connection, snapshot_id: str) -> str | None:
    hashes = select(places.PUBLICATION.c.config_hash)
    found: str | None = con.execute(
        hashes.where(places.PUBLICATION.c.snapshot_id == snapshot_id)
    ).scalar()
    return found
