"""Makes a folder store."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from auditor import disk
from auditor.store import comments
from auditor.store.folder import manifest
from auditor.tables import SCHEMA_VERSION, SCHEMAS


def make_store(root: Path, buckets: int) -> None:
    """Make a store unless there is one; of two processes at once, the first one's stays.

    Always test that the folder is writable: a run must not fetch what it cannot publish.
    """
    with disk.guarded(root):
        (root / "_schema").mkdir(parents=True, exist_ok=True)
        (root / ".staging").mkdir(exist_ok=True)
    disk.try_to_write(root)
    if (root / "store.json").exists():
        return
    for relation, schema in SCHEMAS.items():
        stream = pa.BufferOutputStream()
        described = comments.described(relation, schema)
        pq.write_table(described.empty_table(), stream, compression="zstd")
        disk.replace(root / "_schema" / f"{relation}.parquet", memoryview(stream.getvalue()))
    info = manifest.StoreInfo(schema_version=SCHEMA_VERSION, buckets=buckets)
    disk.put_if_absent(root / "store.json", manifest.encode(info))
