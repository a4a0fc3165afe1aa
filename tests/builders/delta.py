"""Reads Delta tables back, and exports in a process that kills itself.

`python -m tests.builders.delta LAKE FOLDER N` is killed when it reads the store for the Nth time.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from deltalake import DeltaTable

from auditor.store.delta.export import export
from auditor.store.folder.store import FolderStore
from auditor.store.interface import Store
from auditor.tables import KEYS

RELATIONS = (*KEYS, "attempt")
Rows = list[str]


def exported(folder: Path, relation: str) -> Rows:
    """Return the rows of a Delta table, through DuckDB."""
    table = DeltaTable(str(folder / relation)).to_pyarrow_dataset()
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.register("exported", table)
        return sorted(map(repr, con.sql("FROM exported").to_arrow_table().to_pylist()))


def stored(store: Store, relation: str) -> Rows:
    """Return the rows of a relation of the store."""
    return sorted(map(repr, store.arrow(relation).to_pylist()))


def assert_same(store: Store, folder: Path) -> None:
    """Every Delta table has the rows of its relation, each once."""
    for relation in RELATIONS:
        assert exported(folder, relation) == stored(store, relation), relation


def versions(folder: Path) -> dict[str, int]:
    """Return the number of commits of each table."""
    return {name: DeltaTable(str(folder / name)).version() for name in RELATIONS}


class _Killing(FolderStore):
    """A store that kills its process when it is read for the Nth time."""

    left = 0

    @contextmanager
    def connect(self, **how: Any) -> Iterator[duckdb.DuckDBPyConnection]:  # Any: as `Store.connect`
        _Killing.left -= 1
        if not _Killing.left:
            os.kill(os.getpid(), signal.SIGKILL)
        with super().connect(**how) as con:
            yield con


if __name__ == "__main__":
    lake, url, count = sys.argv[1:]
    _Killing.left = int(count)
    export(_Killing.open(lake), url, at_once=1)
