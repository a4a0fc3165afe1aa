"""Runs untrusted SQL: checks the statement first, then runs it in a thread that cannot write.

Each of these two protections is enough. There are two, because a new DuckDB may add a statement
that the check does not know, or a thread that the kernel does not restrict (docs/decisions/0018).
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
from auditor.store.reading import translated

T = TypeVar("T")

_OF_COLUMNS = re.compile(r"\bduckdb_columns\b", re.IGNORECASE)
_OF_VIEWS = re.compile(r"\b(duckdb_views|duckdb_tables|table_comment)\b", re.IGNORECASE)
_WORD = re.compile(r"\w+")


def answer(
    root: Path, index: Index, buckets: int, query: str, fetched: frozenset[str] | None = None
) -> pa.Table:
    """Return the rows of one read-only statement. Raise UsageError if it may write or is wrong.

    With `fetched`, only these base views have their files on this machine.
    """

    def work(con: duckdb.DuckDBPyConnection) -> pa.Table:
        try:
            read_only.check(con, query)
            # To comment all columns takes as long as to make the views.
            if _OF_COLUMNS.search(query):
                comments.add_comments(con)
            if _OF_VIEWS.search(query):
                comments.add_view_comments(con)
            return run(con, query)
        except duckdb.Error as error:
            raise translated(error, is_users_sql=True) from error

    return harmless(root, index, buckets, query, work, fetched=fetched)


def named(query: str) -> frozenset[str]:
    """Return the base views and views that a statement names, directly or through other views."""
    return sql.needed(" ".join(_WORD.findall(query.lower())))


def run(con: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """Return the rows of a statement, without checking what it does."""
    found = con.sql(query)
    if found is None:
        raise UsageError("sql: the statement returns no rows", hint="ask with SELECT")
    return found.to_arrow_table()


def harmless(
    root: Path,
    index: Index,
    buckets: int,
    query: str,
    work: Callable[[duckdb.DuckDBPyConnection], T],
    *,
    by_kernel: bool = True,
    fetched: frozenset[str] | None = None,
) -> T:
    """Return the result of `work` on a DuckDB that has every relation and view and cannot write.

    If the kernel can forbid DuckDB's threads to write, DuckDB reads the store's files. If the
    kernel cannot, or `by_kernel` is False, DuckDB may open no file: it reads copies of the
    relations that `query` names.
    """
    with _spill_folder(root) as spill:
        if by_kernel:
            with suppress(landlock.NotPossible):
                return _restricted(
                    partial(connection, root, index, buckets, spill=spill, fetched=fetched),
                    work,
                    spill,
                )
        with connection(
            root, index, buckets, spill=spill, copied=named(query), fetched=fetched
        ) as con:
            return work(con)


def _restricted(
    opened: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]],
    work: Callable[[duckdb.DuckDBPyConnection], T],
    spill: str,
) -> T:
    running: list[duckdb.DuckDBPyConnection] = []

    def restricted() -> T:
        # DuckDB's threads inherit the restriction of the thread that opens it
        with opened() as con:
            running.append(con)
            return work(con)

    def stop() -> None:
        for con in running:
            with suppress(duckdb.Error):  # the connection is closed already
                con.interrupt()

    return landlock.run(restricted, spill, stop)


@contextmanager
def _spill_folder(root: Path) -> Iterator[str]:
    """Yield a folder outside the store for spilled data; "" if there is none."""
    try:
        parent = Path(tempfile.gettempdir()).resolve()
    except FileNotFoundError:
        parent = root
    if parent.is_relative_to(root.resolve()):
        yield ""
        return
    with tempfile.TemporaryDirectory(prefix="auditor-", dir=parent) as folder:
        yield folder
