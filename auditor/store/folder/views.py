"""Opens DuckDB with every relation and view over the files of a folder store."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from auditor.model import bucket_of
from auditor.store import reading, sql
from auditor.store.duck import opened, spill_folder
from auditor.store.folder import attempts, older
from auditor.store.folder.index import Entry, Index
from auditor.tables import KEYS


@contextmanager
def connection(
    root: Path,
    index: Index,
    buckets: int,
    customer_id: str | None = None,
    query: str | None = None,
    *,
    snapshots: Collection[str] = (),
    is_sparing: bool = False,
    spill: str | None = None,
    copied: frozenset[str] | None = None,
    fetched: frozenset[str] | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB in memory with every relation and view over the snapshots in `index`.

    With `query`, only the relations and views that this SQL uses are made, because making all is
    slow. With `snapshots`, relations other than `snapshot` have only the rows of these snapshots.

    DuckDB can read and write every file of the store. With `copied`, DuckDB can open no file:
    the base views named there are first copied, to memory or to `spill`; no others can be read.
    With `fetched`, only these base views have their files on this machine; no others can be read.
    """
    con = opened(is_sparing=is_sparing)
    try:
        try:
            con.execute("SET temp_directory = $1", [spill_folder() if spill is None else spill])
            only = None if query is None else sql.needed(query)
            con.register("latest_map", index.latest)
            named = _named_files(root, index, _buckets_of(customer_id, buckets), only, snapshots)
            for name, found in named.items():
                # To make a view, DuckDB opens the first file, which defines the columns.
                is_here = fetched is None or name in fetched
                name_files(con, name, found if is_here else found[:1])
            oldest, absent = older.oldest_version(root, index), older.absent(root, index)
            for definition in sql.definitions(only, copied or frozenset()):
                con.execute(older.completed(definition, oldest, absent))
            for name in named.keys() - (named.keys() if fetched is None else fetched):
                name_files(con, name, named[name])
            _lock_down(con, root, is_copied=copied is not None)
        except duckdb.Error as error:
            raise reading.translated(error) from error
        yield con
    finally:
        con.close()


def _buckets_of(customer_id: str | None, buckets: int) -> frozenset[int] | None:
    """Return the buckets that can hold a customer's rows: the customer's and the catalog's."""
    if customer_id is None:
        return None
    return frozenset({bucket_of(customer_id, buckets), bucket_of("", buckets)})


def _wanted(
    index: Index, only: frozenset[str] | None, snapshots: Collection[str]
) -> Iterator[tuple[str, str, Sequence[Entry]]]:
    """Yield the name of each base view, its relation, and the snapshots that it reads."""
    asked = [one for one in index.entries if not snapshots or one.snapshot_id in snapshots]
    current = [entry for entry in index.entries if entry.snapshot_id in index.named_in_latest]
    for relation in KEYS:
        shown = index.entries if relation == "snapshot" else asked
        for name, entries in ((relation, shown), (f"current_{relation}", current)):
            if only is None or name in only:
                yield name, relation, entries


def _named_files(
    root: Path,
    index: Index,
    buckets: frozenset[int] | None,
    only: frozenset[str] | None,
    snapshots: Collection[str],
) -> dict[str, list[str]]:
    """Return the files that each base view reads, as patterns."""
    named = {
        name: files(root, relation, entries, buckets)
        for name, relation, entries in _wanted(index, only, snapshots)
    }
    if only is None or "attempt" in only:
        found = [f"{as_pattern(root)}/{path.relative_to(root)}" for path in attempts.paths(root)]
        named["attempt"] = [*files(root, "attempt", ()), *found]
    return named


def needed_files(
    root: Path,
    index: Index,
    buckets: int,
    customer_id: str | None = None,
    query: str | None = None,
    *,
    snapshots: Collection[str] = (),
) -> Iterator[Path]:
    """Yield the files of snapshots that a `connection` with these arguments reads."""
    only = None if query is None else sql.needed(query)
    in_buckets = _buckets_of(customer_id, buckets)
    for _, relation, entries in _wanted(index, only, snapshots):
        for entry in entries:
            yield from map(Path, entry.paths(root, relation, in_buckets))


def as_pattern(root: Path) -> str:
    """Return the path of a store's folder, escaped: DuckDB reads each file name as a pattern."""
    return re.sub(r"[*?\[]", r"[\g<0>]", str(root))


def files(
    root: Path, relation: str, entries: Iterable[Entry], buckets: frozenset[int] | None = None
) -> list[str]:
    """Return the files of a relation, as patterns.

    The first file has no rows: it defines the columns. A store that an older release made has no
    such file for a relation that was added later.
    """
    folder = as_pattern(root)
    found = [f"{folder}/_schema/{relation}.parquet"] if older.has_columns(root, relation) else []
    for entry in entries:
        found += entry.paths(folder, relation, buckets)
    return found


def is_whole(root: Path, index: Index) -> bool:
    """Return True if every file exists that a relation or view reads."""
    paths = [
        f"{root}/_schema/{relation}.parquet"
        for relation in KEYS
        if older.has_columns(root, relation)
    ]
    for entry in index.entries:
        for relation in KEYS:
            paths += entry.paths(root, relation)
    return all(Path(path).exists() for path in paths)


def name_files(con: duckdb.DuckDBPyConnection, name: str, paths: Sequence[str]) -> None:
    """Set the files that a base view reads."""
    con.execute(f"SET VARIABLE {name}_files = $1", [paths])


def _lock_down(con: duckdb.DuckDBPyConnection, root: Path, *, is_copied: bool) -> None:
    if not is_copied:
        con.execute("SET allowed_directories = $1", [[str(root), as_pattern(root)]])
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")
