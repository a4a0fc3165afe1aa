"""Writes a DuckDB file with every relation and view over a folder store, for tools that open one.

Run it once: `python jobs/duckdb_views.py ./lake views.duckdb`. The file holds no rows: its views
read the folder as it is when they are queried. Write it again after an upgrade of the auditor, and
when a relation has its first rows.
"""

import sys
from pathlib import Path

import duckdb

from auditor import atomic_file
from auditor.store import comments, sql
from auditor.store.folder import older, views
from auditor.store.folder.store import FolderStore
from auditor.tables import KEYS


def write(lake: Path, file: Path) -> None:
    """Write the file and put it in place as a whole. If two write at once, the first one fails."""
    store = FolderStore.open(str(lake))
    root, index = store.root, store.index()
    oldest, absent = older.oldest_version(root, index), older.absent(root, index)
    atomic_file.remove_leftovers(file)
    made = atomic_file.temporary_name(file)  # DuckDB creates the file, so it has no lock of ours
    with duckdb.connect(str(made)) as con:
        for definition in (sql.statement("duckdb/latest_map"), *sql.definitions()):
            con.execute(_with_files(older.completed(definition, oldest, absent), root))
        comments.add_comments(con)
        comments.add_view_comments(con)
    made.replace(file)


def _with_files(definition: str, root: Path) -> str:
    """Return a view's statement with its file variables replaced by file patterns."""
    pattern = views.as_pattern(root)
    latest = _list([f"{pattern}/latest.parquet"])
    definition = definition.replace("getvariable('latest_map_files')", latest)
    places = {relation: f"snapshot=*/{relation}" for relation in KEYS} | {"attempt": "attempt"}
    for relation, place in places.items():
        paths = views.files(root, relation, ())
        if any(root.glob(f"{place}/*.parquet")):
            paths.append(f"{pattern}/{place}/*.parquet")
        for name in (relation, f"current_{relation}"):
            definition = definition.replace(f"getvariable('{name}_files')", _list(paths))
    return definition


def _list(paths: list[str]) -> str:
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
