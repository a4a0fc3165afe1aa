"""The folder store: immutable snapshots of Parquet files, and what is known through them."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from auditor.errors import InputMissing, StoreError, UsageError
from auditor.store import creation, current, history, manifest, reading, upkeep
from auditor.store.index import Index, folder_of, published_ids, read_index
from auditor.store.lock import publish_lock
from auditor.store.publication import Publication
from auditor.tables import SCHEMAS

BUCKETS = 16


class FolderStore:
    """A folder of snapshots. Reading never writes; publishing holds the publish lock."""

    def __init__(self, root: Path, buckets: int) -> None:
        self.root = root
        self.buckets = buckets
        self._seen: tuple[object, Index] | None = None

    @classmethod
    def open(cls, folder: str, *, create: bool = False, buckets: int = BUCKETS) -> "FolderStore":
        """Return the store in a folder; `buckets` counts only where it is made."""
        root = Path(os.path.abspath(Path(folder).expanduser()))  # noqa: PTH100 - links stay as named
        if create:
            creation.make(root, buckets)
        elif not (root / "store.json").exists():
            raise InputMissing(f"no store at {folder}", hint="make one first: auditor run")
        return cls(root, manifest.read_store_info(root).buckets)

    def index(self) -> Index:
        """Return which snapshots are published by now, reading only what changed."""
        mark = (_mark(self.root / "latest.parquet"), published_ids(self.root))
        if self._seen is None or self._seen[0] != mark:
            self._seen = (mark, read_index(self.root))
        return self._seen[1]

    # What a publisher asks -----------------------------------------------------------------

    def publishing(
        self,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> AbstractContextManager[Publication]:
        """Hold the publish lock (Locked after `timeout_s`) and clear up after killed publishers."""
        return self._publishing(timeout_s, clock, pause)

    @contextmanager
    def _publishing(
        self, timeout_s: float, clock: Callable[[], float], pause: Callable[[float], None]
    ) -> Iterator[Publication]:
        with publish_lock(self.root / ".publish.lock", timeout_s, clock, pause):
            publication = Publication(self.root, self.buckets, self.index)
            publication.recover()
            yield publication

    def recover(self, timeout_s: float = 0.0) -> None:
        """Remove stale staging folders and bring the latest map up to date."""
        with self.publishing(timeout_s):
            pass

    def known(
        self, relation: str, bucket: int, partner_tenant_id: str, *, columns: Sequence[str] = ()
    ) -> pa.Table:
        """Return what is known of a partner's cells in one bucket, without `snapshot_id`.

        It is quicker for some `columns` only; those that name the cell have to be among them.
        """
        index = self.index()
        cells = index.current_cells(partner_tenant_id, bucket, self.buckets)
        wanted = columns or [name for name in SCHEMAS[relation].names if name != "snapshot_id"]
        return current.rows(self.root, index, relation, bucket, cells, columns=wanted)

    def latest_cells(self, partner_tenant_id: str) -> pa.Table:
        """Return each cell of a partner: snapshot_id, sequence, status and scope of its newest."""
        return current.cells(self.root, self.index(), self.buckets, partner_tenant_id)

    def newest_full(self, partner_tenant_id: str) -> dict[str, Any] | None:
        """Return the row of a partner's newest full snapshot."""
        for entry in reversed(self.index().entries):
            if entry.partner_tenant_id == partner_tenant_id and entry.kind == "full":
                return self.snapshot(entry.snapshot_id)
        return None

    def gaps(self, cells_and_before: pa.Table) -> pa.Table:
        """Return the distinct rows with `gap_snapshots`: how often the cell was covered since.

        Takes partner_tenant_id, customer_id, country, before_snapshot_id. Opens the coverage of
        every snapshot since the oldest of these, so ask for many at once.
        """
        index = self.index()
        before = cells_and_before.column("before_snapshot_id").unique().to_pylist()
        known = [index.by_id[one].sequence for one in before if one in index.by_id]
        oldest = min(known, default=0) if len(known) == len(before) else 0
        entries = [entry for entry in index.entries if entry.sequence > oldest]
        return history.gaps(self.root, index, entries, cells_and_before)

    # What a reader asks --------------------------------------------------------------------

    @contextmanager
    def connect(
        self, *, customer_id: str | None = None, asking: str | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open DuckDB on the snapshots published by now, with every relation and view.

        It can read this store and nothing else. With `customer_id`, only the files that can hold
        rows of that customer are looked at; with `asking`, only the relations and views are there
        that this SQL stands on, which is quicker.
        """
        with ExitStack() as held:
            how = self.buckets, customer_id, asking
            try:
                con = held.enter_context(reading.connection(self.root, self.index(), *how))
            except reading.FileGone:  # a prune came in between
                self._seen = None
                con = held.enter_context(reading.connection(self.root, self.index(), *how))
            yield con

    def table(
        self,
        name: str,
        *,
        customer: str | None = None,
        product: str | None = None,
        sku: str | None = None,
        partner: str | None = None,
        **columns: object,
    ) -> pd.DataFrame:
        """Return the rows of a relation or view as a DataFrame; see `arrow`."""
        found = self.arrow(
            name, customer=customer, product=product, sku=sku, partner=partner, **columns
        )
        frame: pd.DataFrame = found.to_pandas()
        return frame

    def arrow(
        self,
        name: str,
        *,
        customer: str | None = None,
        product: str | None = None,
        sku: str | None = None,
        partner: str | None = None,
        **columns: object,
    ) -> pa.Table:
        """Return the rows of a relation or view, in a stable order.

        `customer` is an id, a domain or an exact company name, `partner` a tenant id or name,
        `product` a product id, `sku` a SKU id or PRODUCT:SKU; any other keyword (`country`,
        `arm_region`, `verdict`, …) names a column. None asks nothing.
        """
        reading.check_name(name)
        customer_id = None if customer is None else self.find_customer(customer)
        wanted = reading.wanted(customer_id, product, sku, partner, columns)
        asking = f"{name} snapshot"
        return self._again(lambda con: reading.rows(con, name, wanted), customer_id, asking)

    def sql(self, query: str) -> pa.Table:
        """Return the rows of one read-only statement; UsageError says what DuckDB said."""
        return self._again(lambda con: reading.answer(con, query))

    def _again(
        self,
        read: Callable[[duckdb.DuckDBPyConnection], pa.Table],
        customer_id: str | None = None,
        asking: str | None = None,
    ) -> pa.Table:
        """Read, and once more when a file went away: a prune may have come in between."""
        try:
            with self.connect(customer_id=customer_id, asking=asking) as con:
                return read(con)
        except reading.FileGone:
            self._seen = None
            with self.connect(customer_id=customer_id, asking=asking) as con:
                return read(con)

    def find_customer(self, customer: str) -> str:
        """Return the id of a customer named by id, domain or exact company name."""
        with self.connect(asking="current_customer") as con:
            return reading.find_customer(con, customer)

    def snapshots(self) -> pa.Table:
        """Return the relation `snapshot`, oldest first."""
        return self.arrow("snapshot").sort_by("sequence")

    def snapshot_id(self, name: str) -> str:
        """Return the id that an id, an unambiguous beginning of one, or `latest` names."""
        index = self.index()
        if name == "latest" and index.entries:
            return index.entries[-1].snapshot_id
        found = [name] if name in index.by_id else [i for i in index.by_id if i.startswith(name)]
        if len(found) == 1 and name:
            return found[0]
        if name and found:
            raise UsageError(f"snapshot {name}: {len(found)} begin so", hint=", ".join(found[:5]))
        raise InputMissing(f"no snapshot {name!r}", hint="see: auditor snapshots list")

    def snapshot(self, name: str) -> dict[str, Any]:
        """Return the row of one snapshot."""
        folder = folder_of(self.root, self.snapshot_id(name))
        return manifest.snapshot_row(manifest.read_manifest(folder))

    def changes(
        self,
        snapshot: str | None = None,
        between: tuple[str, str] | None = None,
        kinds: Sequence[str] = (),
        customer: str | None = None,
    ) -> pa.Table:
        """Return changes with the names of things: of each partner's newest snapshot by default."""
        asked = history.Asked(
            snapshot=self.snapshot_id(snapshot) if snapshot else None,
            between=(self.snapshot_id(between[0]), self.snapshot_id(between[1]))
            if between
            else None,
            kinds=tuple(kinds),
            customer=self.find_customer(customer) if customer else None,
        )
        read = partial(history.changes, asked=asked)
        return self._again(read, asked.customer, history.asking(asked))

    def causes(
        self,
        snapshot: str | None = None,
        between: tuple[str, str] | None = None,
        kinds: Sequence[str] = (),
        customer: str | None = None,
    ) -> pa.Table:
        """Return the same changes gathered by what they have in common."""
        return history.causes(self.changes(snapshot, between, kinds, customer))

    # Upkeep --------------------------------------------------------------------------------

    def verify(self, name: str) -> list[StoreError]:
        """Return what is wrong with a published snapshot: one StoreCorrupt for each file."""
        return upkeep.verify(self.root, self.snapshot_id(name))

    def prune(self, keep: timedelta, now: datetime, *, apply: bool) -> pa.Table:
        """Return what is dropped (or would be) of snapshots older than `keep`, one row for each."""
        if not apply:
            return upkeep.plan(self.root, self.index(), now - keep)
        with self.publishing(timeout_s=60.0):
            return upkeep.prune(self.root, self.index(), now - keep, now)


def _mark(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    return (found.st_ino, found.st_mtime_ns, found.st_size)
