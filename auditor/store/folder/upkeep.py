"""Verifies snapshots against their manifests, and removes what is old: bulk, and attempts."""

import hashlib
import shutil
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from auditor import disk
from auditor.errors import StoreCorrupt, StoreError
from auditor.store import removal
from auditor.store.folder import attempts, manifest
from auditor.store.folder.index import Entry, Index, folder_of, read_file, rebuilt_index
from auditor.store.folder.publication import write_latest
from auditor.tables import BULKY


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
    """Return what can be pruned: bulk of old snapshots that no cell has as its newest; attempts."""
    attempts_of_runs = attempts.prune(root, older_than, apply=False)
    return removal.pruned([*_old_snapshots(root, index, older_than), *attempts_of_runs])


def _old_snapshots(root: Path, index: Index, older_than: datetime) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for entry in prunable(index, older_than):
        found = _bulk(root, entry)
        if found:
            rows.append(
                {
                    "what": "snapshot",
                    "id": entry.snapshot_id,
                    "at": entry.published_at,
                    "files": len(found),
                    "rows": _bulky_rows(root, entry),
                    "bytes": sum(path.stat().st_size for path in found),
                }
            )
    return rows


def prunable(index: Index, older_than: datetime) -> list[Entry]:
    """Return the old snapshots that no cell has as its newest."""
    return [
        entry
        for entry in index.entries
        if entry.published_at < older_than and entry.snapshot_id not in index.named_in_latest
    ]


def _bulk(root: Path, entry: Entry) -> list[Path]:
    folder = folder_of(root, entry.snapshot_id)
    return [path for relation in BULKY for path in sorted((folder / relation).glob("*.parquet"))]


def _bulky_rows(root: Path, entry: Entry) -> int:
    counts = manifest.read_manifest(folder_of(root, entry.snapshot_id)).counts
    return sum(counts.get(relation, 0) for relation in BULKY)


def prune(root: Path, index: Index, older_than: datetime, now: datetime) -> pa.Table:
    """Remove what `plan` returns; the caller holds the publish lock.

    First each snapshot is marked as pruned. Then the latest map is rewritten without the files.
    Then the files are removed. If the process is killed in between, files stay that nobody reads;
    the next prune removes them.
    """
    rows = _old_snapshots(root, index, older_than)
    dropped = [index.by_id[str(row["id"])] for row in rows]
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
    return removal.pruned([*rows, *attempts.prune(root, older_than, apply=True)])
