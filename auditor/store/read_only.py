"""Checks that SQL only reads. It examines DuckDB's parse tree of the SQL, never the words.

A tree can hold a write deep inside: to DuckDB, `WITH x AS (COPY … TO …) FROM x` is a SELECT. So
every query in the tree, and every function in a FROM, must be of a kind that only reads.
"""

import re
from collections.abc import Iterator

import duckdb
import msgspec

from auditor.errors import UsageError

_READS = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
"""The kinds of query that write nothing by themselves."""

_FUNCTIONS = frozenset(
    {
        *("generate_series", "range", "repeat", "repeat_row", "unnest"),
        *("histogram", "histogram_values", "json_each", "json_tree", "query_table", "summary"),
        *("glob", "parquet_scan", "read_blob", "read_duckdb", "read_parquet", "read_text"),
        *("read_csv", "read_csv_auto", "sniff_csv"),
        *("read_json", "read_json_auto", "read_json_objects", "read_json_objects_auto"),
        *("read_ndjson", "read_ndjson_auto", "read_ndjson_objects"),
        *("icu_calendar_names", "pg_timezone_names"),
    }
)
"""Functions that may stand in a FROM, because they only read. They can open only the store's files.

Other functions run SQL passed as text, take memory addresses, or change settings.
"""
_LISTS = ("duckdb_", "parquet_", "pragma_")
"""Prefixes of the functions that list what a database or a file contains."""

_EXPLAIN = re.compile(
    r"\s*EXPLAIN(\s+ANALYZE|\s*\((ANALYZE|FORMAT)\b[\w\s,]*\))?(?=[\s(])", re.IGNORECASE
)
_HINT = "ask with SELECT, DESCRIBE, SUMMARIZE or EXPLAIN"


def check(con: duckdb.DuckDBPyConnection, query: str) -> None:
    """Raise UsageError if `query` is not exactly one statement that only reads. Does not run it."""
    kind = _kind(con, query)
    match kind:
        case "SELECT":
            for fault in _faults(con, query):
                raise UsageError(f"sql: the store is read-only, and this {fault}", hint=_HINT)
        case "EXPLAIN" if _EXPLAIN.match(query):  # the explained statement must only read too
            check(con, _EXPLAIN.sub("", query, count=1))
        case "MULTI":
            raise UsageError(
                "sql: a PIVOT must name its columns",
                hint="name them: PIVOT … ON verdict IN ('restricted', 'unrestricted')",
            )
        case _:
            raise UsageError(f"sql: the store is read-only, and this is {kind}", hint=_HINT)


def check_text(query: str) -> None:
    """Raise UsageError if an engine could not receive the text unchanged."""
    try:
        query.encode()
    except UnicodeEncodeError:  # the command line has a byte that is not text
        raise UsageError("sql: the statement is not UTF-8", hint=_HINT) from None
    if "\0" in query:
        raise UsageError("sql: the statement has a NUL", hint=_HINT)


def _kind(con: duckdb.DuckDBPyConnection, query: str) -> str:
    check_text(query)
    try:
        statements = con.extract_statements(query)
    except duckdb.Error as error:
        raise UsageError(f"sql: {str(error).splitlines()[0]}", hint=_HINT) from error
    if len(statements) != 1:
        raise UsageError(f"sql: expected one statement, got {len(statements)}", hint=_HINT)
    try:
        return statements[0].type.name
    except ValueError:  # a kind of statement that DuckDB's Python package does not know yet
        return "a statement of an unknown kind"


def _faults(con: duckdb.DuckDBPyConnection, query: str) -> Iterator[str]:
    """Yield a fault for each part of a statement that may write."""
    for part in _parts(con, query):
        kind = part.get("type")
        is_query = "cte_map" in part or str(kind).endswith("_NODE")
        if is_query and kind not in _READS:
            yield f"has {str(kind).removesuffix('_QUERY_NODE')} inside"
        match part:
            case {"type": "TABLE_FUNCTION", "function": {"function_name": str(name)}}:
                if name.lower() not in _FUNCTIONS and not name.lower().startswith(_LISTS):
                    yield f"calls the function {name!r}"
            case {"type": "TABLE_FUNCTION"}:
                yield "calls a function in an unknown way"
            case _:
                pass


def _parts(con: duckdb.DuckDBPyConnection, query: str) -> Iterator[dict[str, object]]:
    """Yield every object in DuckDB's parse tree of a statement."""
    rows = con.execute("SELECT json_serialize_sql($1)", [query]).fetchall()
    try:
        tree = msgspec.json.decode(rows[0][0])
    except RecursionError:
        raise UsageError("sql: the statement is nested too deeply", hint=_HINT) from None
    if tree["error"]:
        message = str(tree.get("error_message", "it cannot be parsed")).splitlines()[0]
        raise UsageError(f"sql: {message}", hint=_HINT)
    left: list[object] = [tree]
    while left:
        match left.pop():
            case dict(part):
                yield part
                left.extend(part.values())
            case list(parts):
                left.extend(parts)
            case _:  # a text or a number
                pass
