"""Defines the manifest of a snapshot: the files, their checksums, and the row of `snapshot`."""

from datetime import date, datetime
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import msgspec
import pyarrow as pa

from auditor.disk import guarded
from auditor.errors import StoreCorrupt, StoreTooNew
from auditor.tables import SCHEMA_VERSION, SCHEMAS, default

Document = TypeVar("Document", bound=msgspec.Struct)
NAME = "manifest.json"
PRUNED = "pruned.json"


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a snapshot, as it was written."""

    relation: str
    bucket: int
    rows: int
    bytes: int
    sha256: str

    @property
    def path(self) -> str:
        """The path of the file inside the snapshot's folder."""
        return file_path(self.relation, self.bucket)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Describes a snapshot, so that its other files need not be opened."""

    schema_version: int
    snapshot_id: str
    config_hash: str
    counts: dict[str, int]
    """The number of rows of each relation."""
    files: tuple[File, ...]
    snapshot: dict[str, Any]
    """The row of the relation `snapshot`. Times are text; other values have the column's type."""


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """The relations that `snapshots prune` removed; a file beside the unchanged manifest."""

    pruned_at: datetime
    relations: tuple[str, ...]


class StoreInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The settings fixed when a store is made, and the schema version of the store."""

    schema_version: int
    buckets: int


_PREPARING = Lock()
"""msgspec prepares a type when it is first used; two threads that do so at once can crash."""


@cache
def _decoder(kind: type[Document]) -> msgspec.json.Decoder[Document]:
    return msgspec.json.Decoder(kind)


def file_path(relation: str, bucket: int) -> str:
    """Return the path, in a snapshot's folder, of one bucket of a relation."""
    return f"{relation}/{bucket:02d}.parquet"


def _read(path: Path, kind: type[Document]) -> Document:
    with guarded(path):
        data = path.read_bytes()
    return decode(data, kind, str(path))


def decode(data: bytes, kind: type[Document], path: str) -> Document:
    """Return a document of the store; `path` says where it was found."""
    try:
        version = msgspec.json.decode(data).get("schema_version", 0)
        if version > SCHEMA_VERSION:
            raise StoreTooNew(
                f"{path} has schema version {version}, this auditor knows {SCHEMA_VERSION}",
                hint="use a newer auditor",
            )
        with _PREPARING:
            decoder: msgspec.json.Decoder[Document] = _decoder(kind)
        return decoder.decode(data)
    except (msgspec.MsgspecError, AttributeError, TypeError) as error:
        raise StoreCorrupt(f"{path} cannot be read: {error}") from error


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of one snapshot's folder."""
    return _read(folder / NAME, Manifest)


def read_pruned(folder: Path) -> tuple[str, ...]:
    """Return the relations that were pruned from one snapshot's folder."""
    if not (folder / PRUNED).exists():
        return ()
    return _read(folder / PRUNED, Pruned).relations


def read_store_info(root: Path) -> StoreInfo:
    """Return the settings fixed when the store was made."""
    return _read(root / "store.json", StoreInfo)


def encode(value: msgspec.Struct) -> bytes:
    """Return a value as JSON that people can read."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def snapshot_row(manifest: Manifest) -> dict[str, Any]:
    """Return the row of the relation `snapshot` with its times decoded."""
    names = SCHEMAS["snapshot"].names
    row = {name: manifest.snapshot.get(name, default("snapshot", name)) for name in names}
    for field in SCHEMAS["snapshot"]:
        value = row[field.name]
        if value is not None and pa.types.is_timestamp(field.type):
            row[field.name] = msgspec.convert(value, datetime)
        elif value is not None and pa.types.is_date(field.type):
            row[field.name] = msgspec.convert(value, date)
    return row
