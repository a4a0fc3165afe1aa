"""Verifies snapshots against their manifests, and drops the bulky relations of old snapshots."""

import hashlib
import shutil
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from auditor import disk
from auditor.errors import StoreCorrupt, StoreError
from auditor.store.folder import manifest
from auditor.store.folder.index import Entry, Index, folder_of, read_file, rebuilt_index
from auditor.store.folder.publication import write_latest
from auditor.tables import BULKY, TIME

_SCHEMA = pa.schema(
    [
        pa.field("snapshot_id", pa.string()),
        pa.field("partner_tenant_id", pa.string()),
        pa.field("published_at", TIME),
        pa.field("files", pa.int64()),
        pa.field("bytes", pa.int64()),
    ]
)


def verify(root: Path, snapshot_id: str) -> list[StoreError]:
    """Return one StoreCorrupt for each file that differs from the manifest."""
    folder = folder_of(root, snapshot_id)
    try:
        expected = manifest.read_manifest(folder)
        pruned = manifest.read_pruned(folder)
    except StoreError as error:
        return [error]
    problems: list[StoreError] = []
    named = {file.path for file in expected.files}
    for path in sorted(folder.glob("*/*")):
        name = path.relative_to(folder).as_posix()
        if name not in named and path.parent.name not in pruned:
            problems.append(StoreCorrupt(f"{path} is not in the manifest"))
    kept = [file for file in expected.files if file.relation not in pruned]
    problems.extend(problem for file in kept if (problem := _problem(folder, file)))
    return problems


def _problem(folder: Path, file: manifest.File) -> StoreError | None:
    path = folder / file.path
    try:
        with disk.guarded(path):
            data = path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != file.sha256:
            return StoreCorrupt(
                f"{path}: expected sha256 {file.sha256}, found {found}",
                hint="restore the file from a backup",
            )
        rows = read_file(path).num_rows
    except StoreError as error:
        return StoreCorrupt(f"{path}: expected sha256 {file.sha256}, found none: {error.message}")
    if rows != file.rows:
        return StoreCorrupt(f"{path}: expected {file.rows} rows, found {rows}")
    return None


def plan(root: Path, index: Index, older_than: datetime) -> pa.Table:
    """Return the old snapshots that are not the newest of any cell: they can be pruned."""
    rows = []
    for entry in _prunable(index, older_than):
        found = _bulk(root, entry)
        if found:
            rows.append(
                {
                    "snapshot_id": entry.snapshot_id,
                    "partner_tenant_id": entry.partner_tenant_id,
                    "published_at": entry.published_at,
                    "files": len(found),
                    "bytes": sum(path.stat().st_size for path in found),
                }
            )
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _prunable(index: Index, older_than: datetime) -> list[Entry]:
    return [
        entry
        for entry in index.entries
        if entry.published_at < older_than and entry.snapshot_id not in index.named_in_latest
    ]


def _bulk(root: Path, entry: Entry) -> list[Path]:
    folder = folder_of(root, entry.snapshot_id)
    return [path for relation in BULKY for path in sorted((folder / relation).glob("*.parquet"))]


def prune(root: Path, index: Index, older_than: datetime, now: datetime) -> pa.Table:
    """Drop the snapshots that `plan` returns; the caller holds the publish lock.

    First each snapshot is marked as pruned. Then the latest map is rewritten without the files.
    Then the files are removed. If the process is killed in between, files stay that nobody reads;
    the next prune removes them.
    """
    rows = plan(root, index, older_than)
    dropped = [index.by_id[snapshot_id] for snapshot_id in rows.column("snapshot_id").to_pylist()]
    note = manifest.encode(manifest.Pruned(pruned_at=now, relations=BULKY))
    for entry in dropped:
        disk.put_if_absent(folder_of(root, entry.snapshot_id) / manifest.PRUNED, note)
    if dropped:
        write_latest(root, rebuilt_index(root))
    for entry in dropped:
        folder = folder_of(root, entry.snapshot_id)
        with disk.guarded(folder):
            for relation in BULKY:
                if (folder / relation).is_dir():
                    shutil.rmtree(folder / relation)
        disk.sync_folder(folder)
    return rows
