"""Makes a folder store, and reads what was settled when one was made."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from auditor import disk
from auditor.store import comments
from auditor.store.folder import manifest
from auditor.tables import SCHEMA_VERSION, SCHEMAS


def make(root: Path, buckets: int) -> None:
    """Make a store unless there is one; of two makers at once, the first one's stays.

    Either way it is written to before anything is asked that could not be published.
    """
    with disk.guarded(root):
        (root / "_schema").mkdir(parents=True, exist_ok=True)
        (root / ".staging").mkdir(exist_ok=True)
    disk.try_to_write(root)
    if (root / "store.json").exists():
        return
    for relation, schema in SCHEMAS.items():
        stream = pa.BufferOutputStream()
        said = comments.described(relation, schema)
        pq.write_table(said.empty_table(), stream, compression="zstd")
        disk.replace(root / "_schema" / f"{relation}.parquet", memoryview(stream.getvalue()))
    info = manifest.StoreInfo(schema_version=SCHEMA_VERSION, buckets=buckets)
    disk.put_if_absent(root / "store.json", manifest.encode(info))
