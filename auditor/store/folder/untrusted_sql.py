"""Answers SQL that comes from outside: it is checked first, and run where it can write nothing.

Either would do by itself. Both are there because a new DuckDB can bring a statement that the check
does not know, or a thread that the kernel does not hold: see docs/decisions/0018.
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import duckdb
import pyarrow as pa

from auditor.errors import UsageError
from auditor.store import comments, landlock, read_only, sql
from auditor.store.folder.index import Index
from auditor.store.folder.views import connection
from auditor.store.reading import explained

T = TypeVar("T")

_CATALOG = re.compile(r"\bduckdb_columns\b", re.IGNORECASE)
_WORD = re.compile(r"\w+")


def answer(root: Path, index: Index, buckets: int, query: str) -> pa.Table:
    """Return what one read-only statement answers; UsageError where it is none, or is wrong."""

    def work(con: duckdb.DuckDBPyConnection) -> pa.Table:
        try:
            read_only.check(con, query)
            if _CATALOG.search(query):  # for all 700 columns it takes as long as making the views
                comments.tell(con)
            return run(con, query)
        except duckdb.Error as error:
            raise explained(error, asked=True) from error

    return harmless(root, index, buckets, query, work)


def run(con: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """Return what a statement answers, whatever it does."""
    found = con.sql(query)
    if found is None:
        raise UsageError("sql: this answers no rows", hint="ask with SELECT")
    return found.to_arrow_table()


def harmless(
    root: Path,
    index: Index,
    buckets: int,
    query: str,
    work: Callable[[duckdb.DuckDBPyConnection], T],
    *,
    by_kernel: bool = True,
) -> T:
    """Return what `work` makes of DuckDB on every relation and view, where it can write nothing.

    Where the kernel can refuse all writing to DuckDB's threads, DuckDB reads the store's files.
    Where it cannot, or is not asked (`by_kernel`), DuckDB may touch none of them, and reads copies
    of the relations that `query` names.
    """
    with _spill_folder(root) as spill:
        if by_kernel:
            with suppress(landlock.NotPossible):
                return _bound(partial(connection, root, index, buckets, spill=spill), work, spill)
        names = sql.needed(" ".join(_WORD.findall(query.lower())))
        with connection(root, index, buckets, spill=spill, copied=names) as con:
            return work(con)


def _bound(
    opened: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]],
    work: Callable[[duckdb.DuckDBPyConnection], T],
    spill: str,
) -> T:
    current: list[duckdb.DuckDBPyConnection] = []

    def bound() -> T:
        # DuckDB's threads are bound as the one is that opens it, so it is opened here
        with opened() as con:
            current.append(con)
            return work(con)

    def stop() -> None:
        for con in current:
            with suppress(duckdb.Error):  # it is closed by now
                con.interrupt()

    return landlock.run(bound, spill, stop)


@contextmanager
def _spill_folder(root: Path) -> Iterator[str]:
    """Give a folder outside of the store for what memory does not hold; "" where there is none."""
    try:
        parent = Path(tempfile.gettempdir()).resolve()
    except FileNotFoundError:
        parent = root
    if parent.is_relative_to(root.resolve()):
        yield ""
        return
    with tempfile.TemporaryDirectory(prefix="auditor-", dir=parent) as folder:
        yield folder
