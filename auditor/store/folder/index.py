"""Reads the index of a folder store: the published snapshots, their files, and the latest map.

`latest.parquet` is only a cache of the index. A snapshot is published when its folder is renamed.
So a reader adds newer snapshots from their own folders, and needs no cache to work.
"""

import io
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from auditor.disk import guarded
from auditor.errors import StoreCorrupt, StoreError
from auditor.model import Cell, bucket_of
from auditor.store import comments
from auditor.store.conform import ranks
from auditor.store.folder import manifest
from auditor.store.span import EVERYONE, Span
from auditor.tables import CELL, TEXT

LATEST_SCHEMA = pa.schema(
    [
        *(pa.field(name, TEXT, nullable=False) for name in CELL),
        pa.field("snapshot_id", TEXT, nullable=False),
        pa.field("sequence", pa.int64(), nullable=False),
        pa.field("status", TEXT),
    ]
)
_META = b"auditor.snapshots"
EMPTY: Mapping[bytes, bytes] = MappingProxyType({})
_PREFIX = "snapshot="


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One published snapshot."""

    snapshot_id: str
    sequence: int
    partner_tenant_id: str
    kind: str
    published_at: datetime
    buckets: dict[str, tuple[int, ...]]
    """By relation: the buckets that have a file."""
    schema_version: int = 1
    """The schema version of the snapshot's files; the first release did not store it."""

    def paths(
        self, root: Path | str, relation: str, only: Collection[int] | None = None
    ) -> list[str]:
        """Return the files of a relation; with `only`, the files of these buckets."""
        folder = f"{root}/{_PREFIX}{self.snapshot_id}"
        return [
            f"{folder}/{manifest.file_path(relation, bucket)}"
            for bucket in self.buckets.get(relation, ())
            if only is None or bucket in only
        ]


_entries = msgspec.json.Decoder(tuple[Entry, ...])
"""Made by one thread: two partners' threads that prepare the same type at once can crash."""


class Index:
    """The published snapshots, oldest first, and the latest map, at one moment."""

    def __init__(self, entries: Iterable[Entry], latest: pa.Table, *, is_stale: bool) -> None:
        self.entries = tuple(sorted(entries, key=lambda entry: entry.sequence))
        self.latest = latest
        self.is_stale = is_stale
        """True if `latest.parquet` lacks a snapshot that this index has."""
        self.erased_at = 0
        """The last place in the order of publication that an erasure took; 0 in a folder."""

    @cached_property
    def by_id(self) -> dict[str, Entry]:
        return {entry.snapshot_id: entry for entry in self.entries}

    @cached_property
    def named_in_latest(self) -> frozenset[str]:
        """The ids of the snapshots that are the newest of at least one cell."""
        return frozenset(self.latest.column("snapshot_id").unique().to_pylist())

    @property
    def next_sequence(self) -> int:
        last = self.entries[-1].sequence if self.entries else 0
        return max(last, self.erased_at) + 1

    def current_cells(
        self, partner_tenant_id: str, bucket: int, buckets: int
    ) -> dict[str, set[Cell]]:
        """Return a partner's cells in one bucket, grouped by the newest snapshot of each cell."""
        return self._cells(buckets).get((partner_tenant_id, bucket), {})

    def _cells(self, buckets: int) -> dict[tuple[str, int], dict[str, set[Cell]]]:
        if self._by_bucket is None:
            found: dict[tuple[str, int], dict[str, set[Cell]]] = {}
            bucket: dict[str, int] = {}
            for row in self.latest.select([*CELL, "snapshot_id"]).to_pylist():
                snapshot_id = row.pop("snapshot_id")
                cell = Cell(**row)
                if cell.customer_id not in bucket:
                    bucket[cell.customer_id] = bucket_of(cell.customer_id, buckets)
                key = (cell.partner_tenant_id, bucket[cell.customer_id])
                found.setdefault(key, {}).setdefault(snapshot_id, set()).add(cell)
            # This is assigned only when complete, because threads of other partners read it.
            self._by_bucket = found
        return self._by_bucket

    _by_bucket: dict[tuple[str, int], dict[str, set[Cell]]] | None = None

    def encoded(self, more: Mapping[bytes, bytes] = EMPTY) -> bytes:
        """Return the bytes of `latest.parquet`; `more` is added to the metadata of the file."""
        meta = {_META: msgspec.json.encode(self.entries), **more}
        stream = io.BytesIO()
        schema = comments.described("latest_cell", self.latest.schema).with_metadata(meta)
        pq.write_table(
            self.latest.cast(schema), stream, compression="zstd", write_page_checksum=True
        )
        return stream.getvalue()


def folder_of(root: Path, snapshot_id: str) -> Path:
    """Return the folder of a snapshot, published or not."""
    return root / f"{_PREFIX}{snapshot_id}"


def published_ids(root: Path) -> frozenset[str]:
    """Return the ids that have a folder.

    A folder without a manifest was left by a killed publisher: that snapshot is not published.
    """
    with guarded(root):
        names = [path.name for path in root.iterdir()]
    return frozenset(name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX))


def read_index(root: Path) -> Index:
    """Return the index from `latest.parquet` and from the folders of newer snapshots."""
    known, latest = read_latest(root / "latest.parquet")
    ids = published_ids(root)
    if not ids.issuperset(entry.snapshot_id for entry in known):
        known, latest = (), LATEST_SCHEMA.empty_table()  # somebody removed a folder by hand
    return _with_newer(root, known, latest, ids)


def rebuilt_index(root: Path) -> Index:
    """Return the index from the folders of the snapshots alone, without `latest.parquet`."""
    return _with_newer(root, (), LATEST_SCHEMA.empty_table(), published_ids(root))


def _with_newer(
    root: Path, known: tuple[Entry, ...], latest: pa.Table, ids: frozenset[str]
) -> Index:
    new = []
    for snapshot_id in sorted(ids.difference(entry.snapshot_id for entry in known)):
        folder = folder_of(root, snapshot_id)
        if (folder / manifest.NAME).exists():
            new.append(_entry(folder))
    if not new:
        return Index(known, latest, is_stale=False)
    coverage = [_coverage(root, entry) for entry in new]
    return Index((*known, *new), newest_per_cell([latest, *coverage]), is_stale=True)


def _entry(folder: Path) -> Entry:
    written = manifest.read_manifest(folder)
    pruned = manifest.read_pruned(folder)
    buckets: dict[str, list[int]] = {}
    for file in written.files:
        if file.relation not in pruned:
            buckets.setdefault(file.relation, []).append(file.bucket)
    row = written.snapshot
    return Entry(
        snapshot_id=written.snapshot_id,
        sequence=row["sequence"],
        partner_tenant_id=row["partner_tenant_id"],
        kind=row["kind"],
        published_at=msgspec.convert(row["published_at"], datetime),
        buckets={name: tuple(sorted(found)) for name, found in buckets.items()},
        schema_version=written.schema_version,
    )


def _coverage(root: Path, entry: Entry) -> pa.Table:
    columns = [*CELL, "snapshot_id", "status"]
    tables = [read_file(Path(path), columns) for path in entry.paths(root, "coverage")]
    rows = pa.concat_tables(tables) if tables else LATEST_SCHEMA.empty_table().select(columns)
    sequence = pa.array(np.full(rows.num_rows, entry.sequence, dtype=np.int64))
    return rows.append_column("sequence", sequence).select(LATEST_SCHEMA.names)


def newest_per_cell(tables: list[pa.Table]) -> pa.Table:
    """Return for each cell the row with the highest sequence, sorted by cell."""
    rows = pa.concat_tables([table.cast(LATEST_SCHEMA) for table in tables]).unify_dictionaries()
    cell = ranks(rows, CELL)
    order = np.lexsort((rows.column("sequence").to_numpy(), cell))
    is_last = np.ones(len(order), dtype=bool)
    is_last[:-1] = np.diff(cell[order]) != 0
    return rows.take(pa.array(order[is_last])).combine_chunks()


def read_latest(path: Path) -> tuple[tuple[Entry, ...], pa.Table]:
    """Return the entries and the map in `latest.parquet`.

    If the file is missing or damaged, both are empty.
    """
    try:
        table = read_file(path)
        entries = _entries.decode((table.schema.metadata or {})[_META])
        return entries, table.replace_schema_metadata(None).cast(LATEST_SCHEMA)
    except (StoreError, KeyError, ValueError):
        return (), LATEST_SCHEMA.empty_table()


def read_file(path: Path, columns: list[str] | None = None, span: Span = EVERYONE) -> pa.Table:
    """Return a published file's rows after verifying the page checksums.

    Row groups without a customer in `span` are skipped.
    """
    with open_file(path) as file:
        if span == EVERYONE:
            return file.read(columns=columns)
        return file.read_row_groups(_row_groups(file.metadata, span), columns=columns)


@contextmanager
def open_file(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a published file. Raise StoreCorrupt if it cannot be read, also later in the block."""
    # Not `path.read_bytes()`: one of Arrow's threads may free the data while the interpreter ends.
    # If the data is a Python object, that aborts the process.
    with guarded(path), pa.OSFile(os.fsencode(path)) as opened:
        data = opened.read_buffer()
    try:
        yield pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:  # a wrong checksum is an OSError
        raise StoreCorrupt(
            f"{path} is not the file that was published: {error}",
            hint="compare it with its manifest: auditor snapshots verify",
        ) from error


def _row_groups(metadata: pq.FileMetaData, span: Span) -> list[int]:
    """Return the row groups that may hold rows of customers in `span`."""
    names = metadata.schema.names
    if "customer_id" not in names:
        return list(range(metadata.num_row_groups)) if span.holds("") else []
    column = names.index("customer_id")
    found = []
    for number in range(metadata.num_row_groups):
        statistics = metadata.row_group(number).column(column).statistics
        has_range = statistics is not None and statistics.has_min_max
        if not has_range or span.meets(statistics.min, statistics.max):
            found.append(number)
    return found
