"""Reads and publishes the folder store: immutable snapshots in Parquet files."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from auditor.customer_names import CustomerName
from auditor.errors import InputMissing, StoreError
from auditor.store import erasure, reading
from auditor.store.erasure import Traces
from auditor.store.folder import attempts as attempts_on_disk
from auditor.store.folder import erasure as erasure_in_folder
from auditor.store.folder import known, manifest, untrusted_sql, upkeep, views
from auditor.store.folder.create import make_store, upgrade_store
from auditor.store.folder.index import Index, folder_of, published_ids, read_index
from auditor.store.folder.lock import publish_lock
from auditor.store.folder.publication import FolderPublication
from auditor.store.folder.shared_files import FolderSharedFiles
from auditor.store.interface import Store
from auditor.store.shared_files import SharedFiles
from auditor.store.span import EVERYONE, Span
from auditor.tables import SCHEMAS

BUCKETS = 16


class FolderStore(Store):
    """A folder of snapshots. A reader never writes to it; a publisher holds the publish lock."""

    def __init__(self, root: Path, buckets: int) -> None:
        self.root = root
        self.buckets = buckets
        self._seen: tuple[object, Index] | None = None

    @classmethod
    def open(cls, folder: str, *, create: bool = False, buckets: int = BUCKETS) -> "FolderStore":
        """Return the store in a folder; `buckets` is used only when the store is made."""
        root = Path(os.path.abspath(Path(folder).expanduser()))  # noqa: PTH100 - links stay as named
        if create:
            make_store(root, buckets)
        elif not (root / "store.json").exists():
            raise InputMissing(f"no store at {folder}", hint="make one first: auditor run")
        return cls(root, manifest.read_store_info(root).buckets)

    def _fetch(self, paths: Iterable[Path]) -> None:
        """Bring files of snapshots to this machine, if the store keeps them elsewhere."""

    def index(self) -> Index:
        """Return the index of published snapshots. It is read only if the folder has changed."""
        mark = (_mark(self.root / "latest.parquet"), published_ids(self.root))
        seen = self._seen
        if seen is None or seen[0] != mark:
            seen = self._seen = (mark, read_index(self.root))
        return seen[1]

    def published(self) -> tuple[str, ...]:
        """Return the ids of all snapshots, in the order of publication."""
        return tuple(self.index().by_id)

    def last_published_at(self) -> datetime | None:
        """Return the latest publication time of all snapshots; None if there is no snapshot."""
        return max((entry.published_at for entry in self.index().entries), default=None)

    @contextmanager
    def publishing(
        self,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> Iterator[FolderPublication]:
        """Hold the publish lock, and remove the leftovers of killed publishers.

        A store of an older release is upgraded. Raises Locked if the lock is not free within
        `timeout_s`, StoreTooNew if a newer release upgraded the store after it was opened here.
        """
        with publish_lock(self.root / ".publish.lock", timeout_s, clock, pause):
            erasure_in_folder.recover(self.root)
            upgrade_store(self.root)
            publication = FolderPublication(self.root, self.buckets, self.index)
            publication.recover()
            yield publication

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
        index = self.index()
        cells = index.current_cells(partner_tenant_id, bucket, self.buckets)
        self._fetch(known.paths(self.root, index, relation, bucket, cells))
        wanted = columns or [name for name in SCHEMAS[relation].names if name != "snapshot_id"]
        return known.rows(self.root, index, relation, bucket, cells, columns=wanted, span=span)

    def latest_cells(self, partner_tenant_id: str) -> pa.Table:
        """Return a partner's cells: see `Store.latest_cells`."""
        index = self.index()
        self._fetch(known.cell_paths(self.root, index, self.buckets, partner_tenant_id))
        return known.cells(self.root, index, self.buckets, partner_tenant_id)

    def gaps(self, cells_and_before: pa.Table) -> pa.Table:
        """Add `gap_snapshots` to the distinct rows: see `Store.gaps`."""
        index = self.index()
        before = cells_and_before.column("before_snapshot_id").unique().to_pylist()
        sequences = [index.by_id[one].sequence for one in before if one in index.by_id]
        oldest = min(sequences, default=0) if len(sequences) == len(before) else 0
        entries = [entry for entry in index.entries if entry.sequence > oldest]
        self._fetch(Path(p) for entry in entries for p in entry.paths(self.root, "coverage"))
        return known.gaps(self.root, index, entries, cells_and_before)

    @contextmanager
    def connect(
        self,
        *,
        customer_id: str | None = None,
        query: str | None = None,
        snapshots: Sequence[str] = (),
        products: Sequence[str] = (),
        is_sparing: bool = False,
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open DuckDB on the published snapshots, with every relation and view.

        The connection can reach only this store, but it can write to it: pass untrusted SQL to
        `sql` instead. With `customer_id`, only files that can hold that customer's rows are read.
        With `query`, only the relations and views that this SQL uses exist, and with `snapshots`
        relations have only the rows of these, which is quicker. With `is_sparing`, DuckDB is slower
        and takes little memory. `products` makes no difference: no file is of one product.
        """
        del products
        with ExitStack() as stack:

            def opened() -> duckdb.DuckDBPyConnection:
                index, how = self.index(), (self.buckets, customer_id, query)
                self._fetch(views.needed_files(self.root, index, *how, snapshots=snapshots))
                found = views.connection(
                    self.root, index, *how, snapshots=snapshots, is_sparing=is_sparing
                )
                return stack.enter_context(found)

            try:
                con = opened()
            except reading.FileGone:  # a prune removed it meanwhile
                self._seen = None
                con = opened()
            yield con

    def record_attempts(self, attempts: pa.Table) -> None:
        """Write rows of the relation `attempt`. They replace all earlier rows of the same runs."""
        attempts_on_disk.record(self.root, attempts)

    def shared_files(self) -> SharedFiles:
        """Return the files that the parts of divided runs share."""
        return FolderSharedFiles(self.root)

    def sql(self, query: str) -> pa.Table:
        """Return the rows of one read-only statement: see `Store.sql`."""
        try:
            return untrusted_sql.answer(self.root, self.index(), self.buckets, query)
        except reading.FileGone:  # a prune removed it meanwhile
            self._seen = None
        try:
            return untrusted_sql.answer(self.root, self.index(), self.buckets, query)
        except reading.FileGone as error:
            # If the store has all its files, it is the statement that names the missing file.
            if views.is_whole(self.root, self.index()):
                raise reading.refused(error.message) from error
            raise

    def _read(
        self,
        read: Callable[[duckdb.DuckDBPyConnection], pa.Table],
        customer_id: str | None = None,
        query: str | None = None,
        snapshots: Sequence[str] = (),
    ) -> pa.Table:
        """Call `read`, and once more if a file is missing: a prune may have removed the file."""
        try:
            return super()._read(read, customer_id, query, snapshots)
        except reading.FileGone:
            self._seen = None
            return super()._read(read, customer_id, query, snapshots)

    def snapshot(self, name: str) -> dict[str, Any]:
        """Return the row of one snapshot."""
        folder = folder_of(self.root, self.snapshot_id(name))
        return manifest.snapshot_row(manifest.read_manifest(folder))

    def verify(self, name: str) -> list[StoreError]:
        """Return the faults of a published snapshot: one StoreCorrupt for each file."""
        return upkeep.verify(self.root, self.snapshot_id(name))

    def prune(self, keep: timedelta, now: datetime, *, apply: bool) -> pa.Table:
        """Return the snapshots that can be pruned; with `apply`, prune them: see `Store.prune`."""
        if not apply:
            return upkeep.plan(self.root, self.index(), now - keep)
        with self.publishing(timeout_s=60.0):
            return upkeep.prune(self.root, self.index(), now - keep, now)

    def customers_ever(self) -> list[CustomerName]:
        """Return every customer that a snapshot names: see `Store.customers_ever`."""
        with self.connect(query="customer") as con:
            found = erasure.customers_ever(con)
        return [*found, *(name for each in self._unfinished() for name in each.as_names())]

    def traces(self, customer: str) -> Traces:
        """Return what identifies a customer: see `Store.traces`."""
        found = super().traces(customer)
        for each in self._unfinished():
            if each.customer_id == found.customer_id:
                found = found.joined(each)
        return found

    def _unfinished(self) -> list[Traces]:
        """Return whose erasures were begun and not completed."""
        unfinished = erasure_in_folder.unfinished(self.root)
        return [unfinished] if unfinished is not None else []

    def forget(self, traces: Traces, *, apply: bool) -> pa.Table:
        """Return how much holds a customer; with `apply`, erase it: see `Store.forget`."""
        if not apply:
            rows = erasure_in_folder.plan(self.root, self.index(), self.buckets, traces)
            return erasure.table(rows)
        with self.publishing(timeout_s=60.0):
            unfinished = erasure_in_folder.unfinished(self.root)
            if unfinished is not None and unfinished.customer_id != traces.customer_id:
                erasure_in_folder.erase(self.root, self.index(), self.buckets, unfinished)
            rows = erasure_in_folder.erase(self.root, self.index(), self.buckets, traces)
        return erasure.table(rows)


def _mark(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return (found.st_ino, found.st_mtime_ns, found.st_size)
