"""Stores the relation `attempt` in a folder store: one file for each run, beside the snapshots."""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from auditor import disk
from auditor.store import comments, removal
from auditor.store.folder.index import read_file
from auditor.tables import ATTEMPT

_FOLDER = "attempt"


def paths(root: Path) -> list[Path]:
    """Return the files of the relation `attempt`, in the order of the run ids."""
    with disk.guarded(root):
        return sorted((root / _FOLDER).glob("*.parquet"))


def record(root: Path, attempts: pa.Table) -> None:
    """Write rows of the relation `attempt`. They replace all earlier rows of the same runs."""
    folder = root / _FOLDER
    with disk.guarded(folder):
        folder.mkdir(exist_ok=True)
    rows = sorted(attempts.to_pylist(), key=lambda row: (row["run_id"], row["partner_tenant_id"]))
    for run_id, of_run in groupby(rows, key=lambda row: str(row["run_id"])):
        write(folder / f"{run_id}.parquet", list(of_run))


def write(path: Path, rows: list[dict[str, object]]) -> None:
    """Replace the file of one run atomically."""
    disk.replace(path, encoded(rows))


def encoded(rows: list[dict[str, object]]) -> memoryview:
    """Return the bytes of the file of one run."""
    stream = pa.BufferOutputStream()
    table = pa.Table.from_pylist(rows, schema=comments.described(_FOLDER, ATTEMPT))
    pq.write_table(table, stream, compression="zstd")
    return memoryview(stream.getvalue())


def prune(root: Path, older_than: datetime, *, apply: bool) -> Iterator[dict[str, object]]:
    """Yield a row of `removal.PRUNED` for each run with old attempts; with `apply`, remove them."""
    rows = {path: read_file(path).to_pylist() for path in paths(root)}
    old = removal.old_attempts((row for of_run in rows.values() for row in of_run), older_than)
    for path, of_run in rows.items():
        kept = [row for row in of_run if removal.key_of(row) not in old]
        if len(kept) == len(of_run):
            continue
        yield {
            "what": "attempt",
            "id": path.stem,
            "at": min(row["started_at"] for row in of_run),
            "files": 0 if kept else 1,
            "rows": len(of_run) - len(kept),
            "bytes": 0 if kept else path.stat().st_size,
        }
        if apply and kept:
            write(path, kept)
        elif apply:
            with disk.guarded(path):
                path.unlink()
