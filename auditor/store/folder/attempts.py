"""Stores the relation `attempt` in a folder store: one file for each run, beside the snapshots."""

from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from auditor import disk
from auditor.store import comments
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
    schema = comments.described(_FOLDER, ATTEMPT)
    rows = sorted(attempts.to_pylist(), key=lambda row: (row["run_id"], row["partner_tenant_id"]))
    for run_id, of_run in groupby(rows, key=lambda row: str(row["run_id"])):
        stream = pa.BufferOutputStream()
        table = pa.Table.from_pylist(list(of_run), schema=schema)
        pq.write_table(table, stream, compression="zstd")
        disk.replace(folder / f"{run_id}.parquet", memoryview(stream.getvalue()))
