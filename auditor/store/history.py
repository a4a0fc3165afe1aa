"""Changes over time: those that were published, and how often a cell was covered since."""

import duckdb
import msgspec
import pyarrow as pa

from auditor.store import reading, sql
from auditor.store.duck import connect


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes. Without `snapshot` and `between`: those of each partner's newest snapshot."""

    snapshot: str | None
    between: tuple[str, str] | None
    kinds: tuple[str, ...]
    customer: str | None


def changes(con: duckdb.DuckDBPyConnection, asked: Asked) -> pa.Table:
    """Return the changes asked for, with the names of things beside them."""
    try:
        con.register("change_row", _rows(con, asked))
        wanted = {"kinds": list(asked.kinds), "customer": asked.customer}
        query = sql.statement("duckdb/query/change_named")
        return con.sql(query, params=wanted).to_arrow_table()
    except duckdb.Error as error:
        raise reading.explained(error) from error


def asking(asked: Asked) -> str | None:
    """Return the SQL that `changes` stands on; None where that may be anything."""
    if asked.between is not None:
        return None
    return sql.statement("duckdb/query/newest_change") + sql.statement("duckdb/query/change_named")


def _rows(con: duckdb.DuckDBPyConnection, asked: Asked) -> pa.Table:
    if asked.between is not None:
        return _between(con, *asked.between)
    if asked.snapshot is not None:
        query = "SELECT * FROM change WHERE snapshot_id = ?"
        return con.sql(query, params=[asked.snapshot]).to_arrow_table()
    return con.sql(sql.statement("duckdb/query/newest_change")).to_arrow_table()


def _between(con: duckdb.DuckDBPyConnection, before: str, after: str) -> pa.Table:
    """Return rows of the relation `change` that lead from one snapshot to another.

    Keys that both know are compared: what only one of them covers, or knows, is no difference.
    """
    con.execute(sql.statement("diff/change_kind"))
    binds = {"before": before, "after": after}
    tables = [
        con.sql(sql.statement(f"diff/between_{name}"), params=binds).to_arrow_table()
        for name in ("inventory", "availability")
    ]
    return pa.concat_tables(tables, promote_options="permissive")


def causes(rows: pa.Table) -> pa.Table:
    """Return changes gathered by subject, kind, product, region and reason."""
    with connect() as con:
        con.register("change_row", rows)
        return con.sql(sql.statement("duckdb/query/cause")).to_arrow_table()


def counted(asked: pa.Table, published: pa.Table, coverage: pa.Table) -> pa.Table:
    """Return the same from tables: `published` (snapshot_id, sequence) and rows of `coverage`."""
    with connect() as con:
        con.register("asked", asked)
        con.register("published", published)
        con.register("coverage", coverage)
        return con.sql(sql.statement("duckdb/query/gap")).to_arrow_table()
