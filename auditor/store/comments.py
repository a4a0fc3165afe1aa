"""Describes each view and column, for readers who open a store with other tools.

The descriptions of columns are in `sql/columns.toml`, each view's at the head of its file.
A database stores both as comments. A folder store stores those of columns as field metadata of its
Parquet files; `auditor sql` shows both.
"""

import tomllib
from functools import cache

import duckdb
import pyarrow as pa

from auditor.errors import Bug
from auditor.store import sql

FIELD = b"comment"
"""The key of the comment in the metadata of a field."""
_VIEWS_OF_A_RELATION = ("current_", "latest_")


@cache
def _meanings() -> dict[str, dict[str, str]]:
    return tomllib.loads(sql.columns())


def comment(relation: str, column: str) -> str:
    """Return what a column of a relation or view means."""
    meanings = _meanings()
    own = relation
    for prefix in _VIEWS_OF_A_RELATION:
        own = own.removeprefix(prefix)
    for section in (relation, own, "column"):
        found = meanings.get(section, {}).get(column)
        if found is not None:
            return found
    raise Bug(f"sql/columns.toml does not say what {relation}.{column} is")


def described(relation: str, schema: pa.Schema) -> pa.Schema:
    """Return the schema with the meaning of each field in its metadata."""
    return pa.schema(
        [field.with_metadata({FIELD: comment(relation, field.name).encode()}) for field in schema],
        schema.metadata,
    )


def of_view(name: str) -> str:
    """Return what a relation or view holds, and what one row of it is."""
    folder = "views" if name in sql.VIEWS else "postgres"
    return sql.heading(f"{folder}/{name}")


def statement(relation: str, column: str) -> str:
    """Return the statement that adds the comment to a column in a database."""
    return f"COMMENT ON COLUMN {relation}.{column} IS {_quoted(comment(relation, column))}"


def view_statement(name: str, kind: str = "VIEW") -> str:
    """Return the statement that adds the comment to a relation or view; `kind` may be TABLE."""
    return f"COMMENT ON {kind} {name} IS {_quoted(of_view(name))}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def add_comments(con: duckdb.DuckDBPyConnection) -> None:
    """Add comments to the columns of all our relations and views that a connection has."""
    query = "SELECT table_name, column_name FROM duckdb_columns() WHERE table_name = ANY($1)"
    found = con.execute(query, [[*sql.BASE, *sql.VIEWS]]).fetchall()
    con.execute(";".join(statement(*each) for each in found))


def add_view_comments(con: duckdb.DuckDBPyConnection) -> None:
    """Add comments to all our relations and views that a connection has."""
    query = (
        "SELECT view_name, 'VIEW' FROM duckdb_views() WHERE view_name = ANY($1)"
        " UNION ALL SELECT table_name, 'TABLE' FROM duckdb_tables() WHERE table_name = ANY($1)"
    )
    found = con.execute(query, [[*sql.BASE, *sql.VIEWS]]).fetchall()
    con.execute(";".join(view_statement(*each) for each in found))
