"""What each column means, for those who look at a store with other tools than ours.

`sql/columns.toml` says it, once: a database has it as comments, a folder in its files' schemas.
"""

import tomllib
from functools import cache

import duckdb
import pyarrow as pa

from auditor.errors import Bug
from auditor.store import sql

FIELD = b"comment"
"""Under what name the metadata of a field in a file has it."""
_VIEWS_OF_A_RELATION = ("current_", "latest_")


@cache
def _said() -> dict[str, dict[str, str]]:
    return tomllib.loads(sql.columns())


def comment(relation: str, column: str) -> str:
    """Return what a column of a relation or view means."""
    said = _said()
    own = relation
    for prefix in _VIEWS_OF_A_RELATION:
        own = own.removeprefix(prefix)
    for section in (relation, own, "column"):
        found = said.get(section, {}).get(column)
        if found is not None:
            return found
    raise Bug(f"sql/columns.toml does not say what {relation}.{column} is")


def described(relation: str, schema: pa.Schema) -> pa.Schema:
    """Return a schema whose fields say what they mean."""
    return pa.schema(
        [field.with_metadata({FIELD: comment(relation, field.name).encode()}) for field in schema],
        schema.metadata,
    )


def statement(relation: str, column: str) -> str:
    """Return what tells a database the meaning of a column."""
    said = comment(relation, column).replace("'", "''")
    return f"COMMENT ON COLUMN {relation}.{column} IS '{said}'"


def tell(con: duckdb.DuckDBPyConnection) -> None:
    """Comment the columns of every view of ours that a connection has."""
    asked = "SELECT table_name, column_name FROM duckdb_columns() WHERE table_name = ANY($1)"
    found = con.execute(asked, [[*sql.BASE, *sql.VIEWS]]).fetchall()
    con.execute(";".join(statement(*each) for each in found))
