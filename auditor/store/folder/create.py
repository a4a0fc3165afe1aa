"""Makes a folder store, and upgrades one that an older release made."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from auditor import disk
from auditor.store import comments
from auditor.store.folder import manifest
from auditor.tables import ATTEMPT, SCHEMA_VERSION, SCHEMAS


def make_store(root: Path, buckets: int) -> None:
    """Make a store if the folder has none. If two processes do so at once, the first store stays.

    In any case, test that the folder is writable: a run must not fetch what it cannot publish.
    """
    with disk.guarded(root):
        (root / "_schema").mkdir(parents=True, exist_ok=True)
        (root / ".staging").mkdir(exist_ok=True)
    disk.try_to_write(root)
    if (root / "store.json").exists():
        return
    _write_columns(root)
    info = manifest.StoreInfo(schema_version=SCHEMA_VERSION, buckets=buckets)
    disk.put_if_absent(root / "store.json", manifest.encode(info))


def upgrade_store(root: Path) -> None:
    """Upgrade a store of an older release, so that this release can publish into it.

    Older releases then refuse the store. The caller holds the publish lock. No snapshot is changed.
    The version is raised last, so if the upgrade is killed, the next publisher repeats it. Raises
    StoreTooNew if a newer release has upgraded the store.
    """
    info = manifest.read_store_info(root)
    if info.schema_version < SCHEMA_VERSION:
        _write_columns(root)
        raised = msgspec.structs.replace(info, schema_version=SCHEMA_VERSION)
        disk.replace(root / "store.json", manifest.encode(raised))


def _write_columns(root: Path) -> None:
    for relation, data in columns():
        disk.replace(root / "_schema" / f"{relation}.parquet", data)


def columns() -> Iterator[tuple[str, bytes]]:
    """Yield each relation with a Parquet file without rows that defines its columns."""
    for relation, schema in {**SCHEMAS, "attempt": ATTEMPT}.items():
        stream = pa.BufferOutputStream()
        described = comments.described(relation, schema)
        pq.write_table(described.empty_table(), stream, compression="zstd")
        yield relation, stream.getvalue().to_pybytes()
