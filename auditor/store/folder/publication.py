"""Publishes snapshots into a folder store: stages in `.staging`, then publishes by one rename."""

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from auditor import atomic_file, disk
from auditor.errors import Bug, StoreError
from auditor.model import bucket_of
from auditor.store import comments, conform
from auditor.store.covered_cells import CoveredCells
from auditor.store.folder import manifest
from auditor.store.folder.index import Index, folder_of, published_ids
from auditor.tables import SCHEMA_VERSION

_ROW_GROUP = 1_000_000
_LATEST = "latest.parquet"


class FolderPublication:
    """Writes snapshots while `FolderStore.publishing` holds the publish lock."""

    def __init__(self, root: Path, buckets: int, index: Callable[[], Index]) -> None:
        self._root = root
        self._index = index
        self._buckets = buckets
        self._staging = root / ".staging"
        self._start("")

    def _start(self, snapshot_id: str) -> None:
        self._snapshot_id = snapshot_id
        self._files: dict[tuple[str, int], manifest.File] = {}
        self._open: dict[str, _BucketFile] = {}
        """The unfinished file of each relation."""
        self._covered_cells = CoveredCells()

    @property
    def sequence(self) -> int:
        """The place of the snapshot in the order of publication."""
        return self._index().next_sequence

    def stage(self, snapshot_id: str) -> bool:
        """Begin to stage a snapshot; return False if it is published already.

        A published snapshot may be staged a second time: `commit` then changes nothing.
        """
        conform.check_snapshot_id(snapshot_id)
        self._discard()
        self._start(snapshot_id)
        folder = self._staged()
        with disk.guarded(folder):
            folder.mkdir(parents=True)
        return not self._is_published()

    def _is_published(self) -> bool:
        return (folder_of(self._root, self._snapshot_id) / manifest.NAME).exists()

    def write(self, relation: str, bucket: int, table: pa.Table) -> None:
        """Write rows of one bucket of a relation as a row group; an empty table is ignored.

        Further calls for the same bucket must bring higher customer ids, or higher check ids. The
        file is written and fsynced when the next bucket begins, or by `commit`.
        """
        if not self._snapshot_id:
            raise Bug("write before stage")
        if (relation, bucket) in self._files:
            raise Bug(f"{relation}: bucket {bucket} is written twice")
        table = conform.conformed(relation, table, self._snapshot_id)
        if not table.num_rows:
            return
        conform.check_bucket(relation, table, bucket, self._buckets)
        self._covered_cells.add(relation, table)
        file = self._open.get(relation)
        if file is None or file.bucket != bucket:
            self._close(relation)
            file = self._open[relation] = _BucketFile(relation, bucket, table.schema)
        file.add(table)

    def _close(self, relation: str) -> None:
        file = self._open.pop(relation, None)
        if file is None:
            return
        data = file.close()
        folder = self._staged() / relation
        with disk.guarded(folder):
            folder.mkdir(exist_ok=True)
        self._files[relation, file.bucket] = manifest.File(
            relation=relation,
            bucket=file.bucket,
            rows=file.rows,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        path = self._staged() / manifest.file_path(relation, file.bucket)
        self._write_file(path, data)

    def _write_file(self, path: Path, data: memoryview) -> None:
        disk.write_new(path, data)

    def commit(self, snapshot_row: Mapping[str, object], config_hash: str) -> bool:
        """Publish the staged snapshot; return False if it was published before.

        A snapshot published before with the same configuration stays unchanged. `sequence` is
        filled in, and so are `schema_version` and row counts if `snapshot_row` lacks them.
        """
        if not self._snapshot_id:
            raise Bug("commit before stage")
        if self._is_published():
            return self._published_before(config_hash)
        self._covered_cells.check()
        for relation in list(self._open):
            self._close(relation)
        return self._publish(snapshot_row, config_hash)

    def _published_before(self, config_hash: str) -> bool:
        """Return False, unless the snapshot was published with another configuration."""
        snapshot_id = self._snapshot_id
        self._discard()
        if manifest.read_manifest(folder_of(self._root, snapshot_id)).config_hash != config_hash:
            raise StoreError(f"{snapshot_id} was published with another configuration")
        return False

    def _publish(self, snapshot_row: Mapping[str, object], config_hash: str) -> bool:
        staged, target = self._staged(), folder_of(self._root, self._snapshot_id)
        written = self._manifest(self._described(snapshot_row), config_hash)
        disk.write_new(staged / manifest.NAME, manifest.encode(written))
        for folder in {staged / file.relation for file in written.files}:
            disk.sync_folder(folder)
        disk.sync_folder(staged)
        disk.sync_folder(self._staging)
        disk.rename_new(staged, target)
        disk.sync_folder(self._root)
        disk.sync_folder(self._staging)
        self._start("")
        self._rewrite_latest()
        return True

    def _staged(self) -> Path:
        return self._staging / self._snapshot_id

    def _described(self, snapshot_row: Mapping[str, object]) -> dict[str, object]:
        """Write the relation `snapshot`, and return its one row."""
        row = self._complete(snapshot_row)
        self.write("snapshot", bucket_of("", self._buckets), conform.snapshot_table(row))
        self._close("snapshot")
        return row

    def _complete(self, given: Mapping[str, object]) -> dict[str, object]:
        counts = self._counts()
        row = {
            "inventory_rows": counts.get("inventory", 0),
            "availability_rows": counts.get("availability", 0),
            "changes": counts.get("change", 0),
            "schema_version": SCHEMA_VERSION,
            **given,
        }
        row.setdefault("snapshot_id", self._snapshot_id)
        row["sequence"] = self.sequence
        return row

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for file in self._files.values():
            counts[file.relation] = counts.get(file.relation, 0) + file.rows
        return counts

    def _manifest(self, row: dict[str, object], config_hash: str) -> manifest.Manifest:
        return manifest.Manifest(
            schema_version=SCHEMA_VERSION,
            snapshot_id=self._snapshot_id,
            config_hash=config_hash,
            counts=self._counts(),
            files=tuple(self._files[key] for key in sorted(self._files)),
            snapshot=row,
        )

    def _rewrite_latest(self) -> None:
        index = self._index()
        if index.is_stale:
            write_latest(self._root, index)

    def recover(self) -> None:
        """Remove the leftovers of killed publishers, and bring the latest map up to date."""
        self._discard()
        for snapshot_id in published_ids(self._root):
            folder = folder_of(self._root, snapshot_id)
            with disk.guarded(folder):
                if not (folder / manifest.NAME).exists() and not os.listdir(folder):  # noqa: PTH208 - lists only if empty
                    folder.rmdir()
        for folder in (self._root, self._root / "_schema"):
            atomic_file.remove_leftovers_in(folder)
        self._rewrite_latest()

    def _discard(self) -> None:
        """Empty the staging folder. This is safe, because only the lock's holder stages."""
        with disk.guarded(self._staging):
            # Somebody planted such a link: remove the link, not the folder that it leads to.
            if self._staging.is_symlink():
                self._staging.unlink()
            self._staging.mkdir(exist_ok=True)
            for folder in sorted(self._staging.iterdir()):
                if folder.is_dir() and not folder.is_symlink():
                    shutil.rmtree(folder)
                else:
                    folder.unlink()


def write_latest(root: Path, index: Index) -> None:
    """Replace `latest.parquet` atomically."""
    disk.replace(root / _LATEST, index.encoded())


def writer(stream: pa.NativeFile, schema: pa.Schema) -> pq.ParquetWriter:
    """Return the writer of a published file."""
    return pq.ParquetWriter(
        stream,
        schema,
        compression="zstd",
        compression_level=3,
        write_page_checksum=True,
        coerce_timestamps="us",
    )


class _BucketFile:
    """The file of one bucket of a relation, built in memory so that its size is known first."""

    def __init__(self, relation: str, bucket: int, schema: pa.Schema) -> None:
        self.bucket = bucket
        self.rows = 0
        self._relation = relation
        self._sorted_by = "check_id" if relation == "check_outcome" else "customer_id"
        self._last = ""
        """The customer id, or the check id, of the last row so far."""
        self._schema = comments.described(relation, schema)
        self._stream = pa.BufferOutputStream()
        self._writer = writer(self._stream, self._schema)

    def add(self, table: pa.Table) -> None:
        """Add a row group. Its customer ids, or check ids, must be higher than those before."""
        names = table.column(self._sorted_by) if self._sorted_by in table.column_names else None
        if self.rows and (names is None or names[0].as_py() <= self._last):
            raise Bug(f"{self._relation}: bucket {self.bucket} is written out of order")
        self._last = "" if names is None else names[-1].as_py()
        self.rows += table.num_rows
        self._writer.write_table(table.cast(self._schema), row_group_size=_ROW_GROUP)

    def close(self) -> memoryview:
        """Finish the file and return its bytes."""
        self._writer.close()
        return memoryview(self._stream.getvalue())
