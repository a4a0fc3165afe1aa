"""Publishes snapshots into PostgreSQL: stages rows by COPY, then publishes in one transaction."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, delete, insert, select

from auditor.errors import AuditorError, Bug, StoreError, StoreUnreachable
from auditor.store import conform
from auditor.store.covered_cells import CoveredCells
from auditor.store.postgres import tables
from auditor.store.postgres.connection import Database
from auditor.store.postgres.digest import added, digest
from auditor.store.postgres.intervals import changed_rows
from auditor.store.postgres.transaction import PublishTransaction, fence, next_sequence
from auditor.tables import SCHEMA_VERSION, SCHEMAS, STATE

ReadKnown = Callable[[str, int, str], pa.Table]
"""A function of (relation, bucket, partner) that returns the partner's known rows.

The rows have at least the columns that are stored as intervals.
"""


class PostgresPublication:
    """Writes snapshots while `PostgresStore.publishing` holds the publish lock.

    `epoch` is the fencing token. A process that takes the lock later has a higher token; this
    publisher's transaction then fails. See docs/decisions/0014.
    """

    def __init__(
        self,
        database: Database,
        con: Connection,
        buckets: int,
        *,
        epoch: int,
        read_known: ReadKnown,
        pool: Executor,
    ) -> None:
        """`con` holds the publish lock; `pool` needs three threads: to copy, to move, to delete."""
        self._database = database
        self._con = con
        self._buckets = buckets
        self._pool = pool
        self._under_way: Future[None] | None = None
        self._epoch = epoch
        self._read_known = read_known
        self._start("")

    def _start(self, snapshot_id: str) -> None:
        self._snapshot_id = snapshot_id
        self._rows: Counter[str] = Counter()
        self._digest: dict[str, int] = {}
        self._changes: list[pa.Table] = []
        self._transaction = PublishTransaction(self._database, self._con, self._pool, self._epoch)
        self._covered_cells = CoveredCells()

    @property
    def sequence(self) -> int:
        """The place of the snapshot in the order of publication."""
        with self._database.translating_errors(), self._database.engine.connect() as con:
            return next_sequence(con)

    def stage(self, snapshot_id: str) -> bool:
        """Begin to stage a snapshot; return False if it is published already.

        A published snapshot may be staged a second time: `commit` then changes nothing.
        """
        conform.check_snapshot_id(snapshot_id)
        if self._snapshot_id:  # rows that others staged were removed when the lock was taken
            self.clear()
        self._start(snapshot_id)
        return self._published_hash() is None

    def abandon(self) -> None:
        """Give up a snapshot that is not committed; staged rows stay until `clear`."""
        with suppress(AuditorError):  # an error no longer matters
            self._wait()
        self._transaction.abandon()

    def clear(self) -> None:
        """Remove all staged rows. This is safe, because only the lock's holder stages."""
        self.abandon()
        with self._database.translating_errors(), self._database.engine.begin() as con:
            for staged in tables.STAGED.values():
                con.execute(delete(staged))

    def write(self, relation: str, bucket: int, table: pa.Table) -> None:
        """Stage the changed rows of one bucket; `table` holds all rows, or the next customers'."""
        if not self._snapshot_id:
            raise Bug("write before stage")
        table = conform.conformed(relation, table, self._snapshot_id)
        if not table.num_rows:
            return
        conform.check_bucket(relation, table, bucket, self._buckets)
        self._rows[relation] += table.num_rows
        self._covered_cells.add(relation, table)
        if relation == "change":
            self._changes.append(table)
        else:
            self._digest[relation] = added(self._digest.get(relation, 0), digest(table))
        if relation not in STATE:
            self._copy([(relation, table)])
            return
        partners = table.column("partner_tenant_id").unique().to_pylist()
        known = pa.concat_tables([self._read_known(relation, bucket, one) for one in partners])
        staged = changed_rows(relation, known, table)
        self._copy([(name, _in_bucket(found, bucket)) for name, found in staged])

    def _copy(self, named: Sequence[tuple[str, pa.Table]]) -> None:
        """Wait for the previous copy and raise its error; then start a copy in a thread."""
        self._wait()
        self._under_way = self._pool.submit(self._copy_now, named)

    def _wait(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()

    def _copy_now(self, named: Sequence[tuple[str, pa.Table]]) -> None:
        with self._database.arrow() as con, con.cursor() as cursor:
            for name, table in named:
                if table.num_rows:
                    epoch = pa.repeat(pa.scalar(self._epoch, pa.int64()), table.num_rows)
                    whole = conform.plain(table).append_column("epoch", epoch)
                    staged = tables.STAGED[name].name
                    cursor.adbc_ingest(staged, whole, mode="append", db_schema_name=tables.SCHEMA)
                    self._transaction.add_staged(name, table)

    def commit(self, snapshot_row: Mapping[str, object], config_hash: str) -> bool:
        """Publish the staged snapshot; return False if it was published before.

        A snapshot published before with the same configuration stays unchanged. `sequence` is
        filled in, and so are `schema_version` and row counts if `snapshot_row` lacks them.
        """
        if not self._snapshot_id:
            raise Bug("commit before stage")
        published = self._published_hash()
        if published is not None:
            self.clear()
            if published != config_hash:
                raise StoreError(f"{self._snapshot_id} was published with another configuration")
            return False
        self._covered_cells.check()
        self._wait()
        try:
            with self._transaction.committing() as sequence:
                self._publish(sequence, snapshot_row, config_hash)
        except StoreUnreachable:
            if not self._is_committed():
                raise
        self._start("")
        return True

    def _is_committed(self) -> bool:
        """Return True if the transaction was committed although the server's reply was lost.

        The transaction locks the row of the fencing token until it ends. This method waits for that
        lock, so the result is final.
        """
        with self._database.translating_errors(), self._database.engine.begin() as con:
            con.execute(select(tables.STORE.c.epoch).with_for_update())
            return _config_hash(con, self._snapshot_id) is not None

    def _published_hash(self) -> str | None:
        with self._database.translating_errors(), self._database.engine.connect() as con:
            return _config_hash(con, self._snapshot_id)

    @contextmanager
    def fenced(self) -> Iterator[Connection]:
        """Begin a transaction. Raise LockLost if another process has taken the publish lock."""
        with self._database.translating_errors(), self._con.begin():
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
        self._con.execute(insert(tables.TABLES["snapshot"]).values(row))
        record = {"snapshot_id": self._snapshot_id, "config_hash": config_hash}
        self._con.execute(insert(tables.PUBLICATION).values(record))
        self._transaction.move_rest(sequence)
        for relation in STATE:
            empty = self._covered_cells.without_rows(relation)
            self._transaction.end_intervals(relation, empty, sequence)
        self._write_digests(row)

    def _write_digests(self, row: Mapping[str, object]) -> None:
        """Write the digest of each relation; a change that was stored before does not count."""
        change = tables.TABLES["change"].c
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
            insert(tables.DIGEST),
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
    hashes = select(tables.PUBLICATION.c.config_hash)
    found: str | None = con.execute(
        hashes.where(tables.PUBLICATION.c.snapshot_id == snapshot_id)
    ).scalar()
    return found
