"""Reads and publishes the store on an object storage service: a folder store over copies."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from auditor.errors import StoreCorrupt, StoreError
from auditor.store import erasure as rules
from auditor.store import removal, sql
from auditor.store.erasure import Traces
from auditor.store.folder import manifest, untrusted_sql, views
from auditor.store.folder.index import Index
from auditor.store.folder.lock import publish_lock
from auditor.store.folder.store import BUCKETS, FolderStore
from auditor.store.objects import erasure, layout, upkeep
from auditor.store.objects.client import Objects
from auditor.store.objects.create import make_store, new_token, upgrade_store
from auditor.store.objects.mirror import Mirror
from auditor.store.objects.publication import ObjectPublication
from auditor.store.objects.scratch import scratch_folder
from auditor.store.objects.shared_files import ObjectSharedFiles
from auditor.store.reading import FileGone
from auditor.store.span import EVERYONE, Span

T = TypeVar("T")


class ObjectStore(FolderStore):
    """A store on an object storage service. Its files are copied to this machine to be read."""

    def __init__(
        self, mirror: Mirror, buckets: int, *, token: Callable[[], str] = new_token
    ) -> None:
        super().__init__(mirror.root, buckets)
        self._mirror = mirror
        self._token = token
        self._moment = threading.local()
        """The index that a thread works with, while it publishes or reads."""

    @classmethod
    def open(
        cls,
        folder: str,
        *,
        create: bool = False,
        buckets: int = BUCKETS,
        objects: Objects | None = None,
        scratch: Path | None = None,
        token: Callable[[], str] = new_token,
    ) -> "ObjectStore":
        """Return the store at a URL; `buckets` is used only when the store is made.

        `objects` and `scratch` replace the client and the folder with the copies.
        """
        objects = objects or Objects.open(folder)
        mirror = Mirror(scratch or scratch_folder(objects.identity), objects)
        if create:
            make_store(mirror, buckets, token())
        mirror.open()
        return cls(mirror, manifest.read_store_info(mirror.root).buckets, token=token)

    def index(self) -> Index:
        """Return the index of published snapshots; the thread's own while it publishes or reads."""
        found: Index | None = getattr(self._moment, "index", None)
        return self._newest_index() if found is None else found

    def _newest_index(self) -> Index:
        self._mirror.sync()
        # Read before the index, so it is never newer: a publisher must not take a place after an
        # erasure that its index does not know.
        erased_at = self._mirror.erased_at
        found = super().index()
        if len(found.entries) != self._mirror.snapshots:  # something cleans the folder
            self._mirror.reset()
            self._mirror.sync()
            found = super().index()
        if len(found.entries) != self._mirror.snapshots:
            raise StoreCorrupt(f"{self.root}: copies of manifests are missing again")
        found.erased_at = max(found.erased_at, erased_at)
        return found

    @contextmanager
    def _at_one_moment(self, *, newest: bool = True) -> Iterator[None]:
        """Let the thread work with one index, without `newest` with one that was read before."""
        if getattr(self._moment, "index", None) is not None:
            yield
            return
        seen = self._seen
        self._moment.index = self._newest_index() if newest or seen is None else seen[1]
        try:
            yield
        finally:
            self._moment.index = None

    def _fetch(self, paths: Iterable[Path]) -> None:
        self._mirror.fetch(paths)

    def _reading(self, read: Callable[[], T], *, newest: bool = True) -> T:
        """Call `read` at one moment; call it once more if an object was removed meanwhile."""
        with self._mirror.in_use():
            try:
                with self._at_one_moment(newest=newest):
                    return read()
            except FileGone:
                with self._at_one_moment():
                    return read()

    def known(
        self,
        relation: str,
        bucket: int,
        partner_tenant_id: str,
        *,
        columns: Sequence[str] = (),
        span: Span = EVERYONE,
    ) -> pa.Table:
        """Return the known rows of a partner's cells in one bucket: see `Store.known`.

        Outside a publication, these are the rows that were known when the index was last read.
        """
        read = super().known
        return self._reading(
            lambda: read(relation, bucket, partner_tenant_id, columns=columns, span=span),
            newest=False,
        )

    def latest_cells(self, partner_tenant_id: str) -> pa.Table:
        """Return a partner's cells: see `Store.latest_cells`."""
        read = super().latest_cells
        return self._reading(lambda: read(partner_tenant_id))

    def gaps(self, cells_and_before: pa.Table) -> pa.Table:
        """Add `gap_snapshots` to the distinct rows: see `Store.gaps`."""
        read = super().gaps
        return self._reading(lambda: read(cells_and_before))

    @contextmanager
    def publishing(
        self,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> Iterator[ObjectPublication]:
        """Publish after the other publishers of this machine, and beside those of other machines.

        `commit` raises Superseded if another machine published a snapshot of the same partner
        during the comparison. A store of an older release is upgraded.
        """
        with publish_lock(self.root / ".publish.lock", timeout_s, clock, pause):
            upgrade_store(self._mirror)
            publication = ObjectPublication(
                self._mirror,
                self.buckets,
                self.index,
                look_again=self._look_again,
                token=self._token,
            )
            publication.recover()
            try:
                with self._mirror.in_use():
                    yield publication
            finally:
                self._moment.index = None

    def _look_again(self) -> None:
        self._moment.index = self._newest_index()

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
        """Open DuckDB on the published snapshots: see `Store.connect`.

        The files that the relations read are copied first. Without `query`, these are all files.
        """
        if query is None or "attempt" in sql.needed(query):
            self._mirror.sync_attempts()
        opened = super().connect
        with self._mirror.in_use(), ExitStack() as stack:

            def enter() -> duckdb.DuckDBPyConnection:
                return stack.enter_context(
                    opened(
                        customer_id=customer_id,
                        query=query,
                        snapshots=snapshots,
                        products=products,
                        is_sparing=is_sparing,
                    )
                )

            yield self._reading(enter)

    def sql(self, query: str) -> pa.Table:
        """Return the rows of one read-only statement: see `Store.sql`.

        The files of the relations that it names are copied first; if that was not enough, all.
        """
        names = untrusted_sql.named(query)
        if "attempt" in names:
            self._mirror.sync_attempts()

        def named() -> pa.Table:
            index = self.index()
            self._fetch(views.needed_files(self.root, index, self.buckets, query=" ".join(names)))
            return untrusted_sql.answer(self.root, index, self.buckets, query, names)

        try:
            return self._reading(named)
        except FileGone:
            pass
        answer = super().sql
        with self._mirror.in_use(), self._at_one_moment():
            self._mirror.sync_attempts()
            self._fetch(views.needed_files(self.root, self.index(), self.buckets))
            return answer(query)

    def shared_files(self) -> ObjectSharedFiles:
        """Return what the parts of divided runs share."""
        return ObjectSharedFiles(self._mirror.objects, self._token)

    def record_attempts(self, attempts: pa.Table) -> None:
        """Write rows of the relation `attempt`. They replace all earlier rows of the same runs."""
        super().record_attempts(attempts)
        for run_id in attempts.column("run_id").unique().to_pylist():
            key = f"{layout.ATTEMPTS}/{run_id}.parquet"
            self._mirror.objects.put(key, self.root / key)

    def snapshot(self, name: str) -> dict[str, Any]:
        """Return the row of one snapshot."""
        return manifest.snapshot_row(self._mirror.manifest_of(self.snapshot_id(name)))

    def verify(self, name: str) -> list[StoreError]:
        """Return the faults of a published snapshot: one StoreCorrupt for each object."""
        return upkeep.verify(self._mirror, self.snapshot_id(name))

    def prune(self, keep: timedelta, now: datetime, *, apply: bool) -> pa.Table:
        """Return what can be pruned; with `apply`, prune it: see `Store.prune`.

        Also removes what killed publishers left. Readers leave a marked snapshot's files out before
        these are removed, so a prune that is killed leaves objects for the next one.
        """
        older_than = now - keep
        if not apply:
            rows = upkeep.old_snapshots(self._mirror, self.index(), older_than)
        else:
            with self.publishing(timeout_s=60.0):
                rows = upkeep.old_snapshots(self._mirror, self.index(), older_than)
                upkeep.mark_pruned(self._mirror, [str(row["id"]) for row in rows], now)
                self._look_again()
                self._mirror.share_index()
                upkeep.remove_unread(self._mirror, now)
        attempts = upkeep.prune_attempts(self._mirror, older_than, apply=apply)
        return removal.pruned([*rows, *attempts])

    def forget(self, traces: Traces, *, apply: bool) -> pa.Table:
        """Return how much holds a customer; with `apply`, erase it: see `Store.forget`."""
        if not apply:
            self._mirror.sync_attempts()
            rows = self._reading(
                lambda: erasure.plan(self._mirror, self.index(), self.buckets, traces)
            )
            return rules.table(rows)
        with self.publishing(timeout_s=60.0):

            def newest() -> Index:
                self._look_again()
                return self.index()

            rows = erasure.Eraser(self._mirror, newest, self.buckets, self._token()).erase(traces)
        return rules.table(rows)

    def _unfinished(self) -> list[Traces]:
        return list(erasure.unfinished(self._mirror.objects).values())
