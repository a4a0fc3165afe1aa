"""Erases a customer from a folder store: each snapshot is written anew, then exchanged.

No reader sees a snapshot in part. The new folder of every snapshot is complete and synced before
the first one is exchanged, so all are exchanged within a moment. A file `forgetting.json` names the
customer until the end: if the process is killed, a second call goes on, also by name.
"""

import hashlib
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from auditor import disk
from auditor.errors import StoreCorrupt
from auditor.model import bucket_of
from auditor.store import conform, erasure
from auditor.store.erasure import Traces, traces_file
from auditor.store.folder import attempts, manifest
from auditor.store.folder.index import Entry, Index, folder_of, open_file, read_file
from auditor.store.folder.publication import write_latest, writer

_INTENT = "forgetting.json"
_STAGING = ".erasing"
_ASIDE = "old-"
_NUMBERS = (*erasure.COUNTS, *erasure.ROW_COUNTS.values())
Written = TypeVar("Written", bound=manifest.Manifest)
Row = dict[str, object]
"""A row of `erasure.ERASED`."""


class Rewritten(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a snapshot without the customer."""

    file: manifest.File
    data: memoryview
    removed: pa.Table
    """The customer's rows: of `coverage` with all columns."""


def unfinished(root: Path) -> Traces | None:
    """Return whose erasure was begun and not completed; None if there is none."""
    path = root / _INTENT
    if not path.exists():
        return None
    with disk.guarded(path):
        return traces_file.decode(path.read_bytes())


def recover(root: Path) -> None:
    """Remove what a killed erasure staged; the caller holds the publish lock.

    Where a file system cannot exchange folders, a snapshot may be missing. Its old folder is then
    aside, so its new one is complete: it takes its place.
    """
    staging = root / _STAGING
    with disk.guarded(staging):
        if staging.is_symlink():  # somebody planted it: never clear its target
            staging.unlink()
        if not staging.exists():
            return
        for aside in staging.glob(f"{_ASIDE}*"):
            name = aside.name.removeprefix(_ASIDE)
            if not (root / name).exists():
                (staging / name).rename(root / name)
                disk.sync_folder(root)
        shutil.rmtree(staging)
    disk.sync_folder(root)


def plan(root: Path, index: Index, buckets: int, traces: Traces) -> list[Row]:
    """Return how much of each relation holds the customer."""
    found = Tally()
    for entry in index.entries:
        found.add(_rewritten(root, entry, buckets, traces))
    return [*found.rows(), *attempts_with(root, traces)]


def erase(root: Path, index: Index, buckets: int, traces: Traces) -> list[Row]:
    """Erase the customer, and return what `plan` returns; the caller holds the publish lock."""
    tally, staged = Tally(), []
    with disk.guarded(root / _STAGING):
        (root / _STAGING).mkdir()
    for entry in index.entries:
        found = list(_rewritten(root, entry, buckets, traces))
        tally.add(found)
        if found:
            staged.append(_stage(root, entry, found))
    disk.sync_folder(root / _STAGING)
    named = attempts_with(root, traces)
    if staged or named:
        disk.replace(root / _INTENT, msgspec.json.encode(traces))
        write_latest(root, _without(index, traces))
    for new in staged:
        disk.exchange(new, root / new.name, new.with_name(f"{_ASIDE}{new.name}"))
    disk.sync_folder(root)
    recover(root)
    for path in attempts.paths(root):
        rows = attempts_without(path, traces)
        if rows is not None:
            attempts.write(path, rows)
    with disk.guarded(root / _INTENT):
        (root / _INTENT).unlink(missing_ok=True)
    disk.sync_folder(root)
    return [*tally.rows(), *named]


class Tally:
    """How many files, rows and bytes of each relation are written anew."""

    def __init__(self) -> None:
        self._files, self._rows, self._bytes = Counter[str](), Counter[str](), Counter[str]()

    def add(self, found: Iterable[Rewritten]) -> None:
        for each in found:
            relation = each.file.relation
            self._files[relation] += 1
            self._rows[relation] += max(each.removed.num_rows, 1)  # one is altered
            self._bytes[relation] += each.file.bytes

    def rows(self) -> list[Row]:
        return [
            {"what": name, "files": n, "rows": self._rows[name], "bytes": self._bytes[name]}
            for name, n in self._files.items()
        ]


def _without(index: Index, traces: Traces) -> Index:
    """Return the index without the customer's cells."""
    latest = erasure.erased("latest", index.latest, traces)
    return Index(index.entries, latest, is_stale=True)


def _rewritten(root: Path, entry: Entry, buckets: int, traces: Traces) -> Iterator[Rewritten]:
    folder = folder_of(root, entry.snapshot_id)
    written, pruned = manifest.read_manifest(folder), manifest.read_pruned(folder)
    yield from rewritten(folder, read_for(written, pruned, buckets, traces), traces)


def read_for(
    written: manifest.Manifest, pruned: Collection[str], buckets: int, traces: Traces
) -> list[manifest.File]:
    """Return the files of a snapshot that may hold the customer; the last one is of `snapshot`."""
    bucket = bucket_of(traces.customer_id, buckets)
    found = [
        file
        for file in written.files
        if file.relation not in pruned
        and (file.bucket == bucket or file.relation in erasure.WITH_SCOPE)
    ]
    return sorted(found, key=lambda file: file.relation == "snapshot")


def rewritten(folder: Path, files: Iterable[manifest.File], traces: Traces) -> Iterator[Rewritten]:
    """Yield each of the files that `read_for` returns that holds the customer, without it."""
    rows, sums = Counter[str](), Counter[str]()
    for file in files:
        if file.relation == "snapshot":
            yield from _snapshot_file(folder, file, traces, sums, rows)
            continue
        found = _file_without(folder, file, traces)
        if found is not None:
            rows[file.relation] += found.removed.num_rows
            if file.relation == "coverage":
                sums.update(erasure.sums_of(found.removed))
            yield found


def _file_without(folder: Path, file: manifest.File, traces: Traces) -> Rewritten | None:
    """Return a file without the customer; None if it does not hold the customer."""
    stream = pa.BufferOutputStream()
    removed, kept, is_altered = [], 0, False
    with open_file(folder / file.path) as source, writer(stream, source.schema_arrow) as out:
        for number in range(source.num_row_groups):
            before = source.read_row_group(number)
            after = erasure.erased(file.relation, before, traces)
            is_altered = is_altered or _differs(file.relation, before, after)
            kept += after.num_rows
            removed.append(_theirs(before, traces))
            if after.num_rows:
                out.write_table(after)
    if not is_altered:
        return None
    _check(folder, file)
    return _new(file, stream, kept, pa.concat_tables(removed))


def _differs(relation: str, before: pa.Table, after: pa.Table) -> bool:
    if before.num_rows != after.num_rows:
        return True
    has_scope = relation in erasure.WITH_SCOPE
    return has_scope and before.column("scope").to_pylist() != after.column("scope").to_pylist()


def _theirs(table: pa.Table, traces: Traces) -> pa.Table:
    if "customer_id" not in table.column_names:
        return table.slice(0, 0)
    plain = conform.plain(table)
    return plain.filter(pc.equal(plain.column("customer_id"), traces.customer_id))


def _snapshot_file(
    folder: Path,
    file: manifest.File,
    traces: Traces,
    sums: Counter[str],
    rows: Counter[str],
) -> Iterator[Rewritten]:
    before = read_file(folder / file.path)
    (row,) = before.to_pylist()
    after = erasure.snapshot_without(row, traces, sums, rows)
    if after != row:
        _check(folder, file)
        stream = pa.BufferOutputStream()
        with writer(stream, before.schema) as out:
            out.write_table(pa.Table.from_pylist([after], schema=before.schema))
        yield _new(file, stream, 1, before.slice(0, 0))


def _check(folder: Path, file: manifest.File) -> None:
    """Raise StoreCorrupt if a file is not as published: its damage would pass as intended."""
    path = folder / file.path
    with disk.guarded(path):
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != file.sha256:
        raise StoreCorrupt(
            f"{path}: expected sha256 {file.sha256}, found {found}",
            hint="restore the file from a backup, then forget the customer again",
        )


def _new(
    file: manifest.File, stream: pa.BufferOutputStream, rows: int, removed: pa.Table
) -> Rewritten:
    data = memoryview(stream.getvalue())
    sha256 = hashlib.sha256(data).hexdigest()
    new = msgspec.structs.replace(file, rows=rows, bytes=len(data), sha256=sha256)
    return Rewritten(file=new, data=data, removed=removed)


def _stage(root: Path, entry: Entry, found: Sequence[Rewritten]) -> Path:
    """Write the new folder of a snapshot and return it; files without the customer are linked."""
    old = folder_of(root, entry.snapshot_id)
    new = root / _STAGING / old.name
    written, pruned = manifest.read_manifest(old), manifest.read_pruned(old)
    for relation in {file.relation for file in written.files} - set(pruned):
        with disk.guarded(new):
            (new / relation).mkdir(parents=True)
    anew = {each.file.path for each in found}
    for each in found:
        disk.write_new(new / each.file.path, each.data)
    for file in written.files:
        if file.path not in anew and file.relation not in pruned:
            disk.link_or_copy(old / file.path, new / file.path)
    if pruned:
        disk.link_or_copy(old / manifest.PRUNED, new / manifest.PRUNED)
    disk.write_new(new / manifest.NAME, manifest.encode(manifest_with(written, found)))
    for folder in new.iterdir():
        if folder.is_dir():
            disk.sync_folder(folder)
    disk.sync_folder(new)
    return new


def manifest_with(written: Written, found: Iterable[Rewritten]) -> Written:
    """Return the manifest with files that are written anew: their counts, and their `snapshot`."""
    anew = {each.file.path: each for each in found}
    now = tuple(anew[file.path].file if file.path in anew else file for file in written.files)
    counts = Counter[str]()
    for file in now:
        counts[file.relation] += file.rows
    row: dict[str, Any] = {}  # the row of `snapshot`, if it is altered
    for each in anew.values():
        if each.file.relation == "snapshot":
            row = pq.read_table(pa.BufferReader(each.data)).to_pylist()[0]
    changed = {name: row[name] for name in (*_NUMBERS, "scope") if name in row}
    snapshot = {**written.snapshot, **{n: v for n, v in changed.items() if n in written.snapshot}}
    return msgspec.structs.replace(written, files=now, counts=dict(counts), snapshot=snapshot)


def attempts_with(root: Path, traces: Traces) -> list[Row]:
    """Return how many attempts name the customer, a row for each run."""
    found: list[Row] = []
    for path in attempts.paths(root):
        after = attempts_without(path, traces)
        if after is not None:
            pairs = zip(read_file(path).to_pylist(), after, strict=True)
            altered = sum(one != other for one, other in pairs)
            size = path.stat().st_size
            found.append({"what": "attempt", "files": 1, "rows": altered, "bytes": size})
    return found


def attempts_without(path: Path, traces: Traces) -> list[Row] | None:
    """Return the attempts of a run without the customer; None if they do not name it."""
    before = read_file(path).to_pylist()
    after = [traces.attempt(row) for row in before]
    return None if after == before else after
