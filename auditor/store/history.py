"""Reads published changes, and counts how many snapshots covered a cell after a given one."""

import duckdb
import msgspec
import pyarrow as pa

from auditor.store import reading, sql
from auditor.store.duck import connect


class ChangeFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Selects changes. By default, selects changes after each partner's previous full snapshot."""

    snapshot: str | None
    between: tuple[str, str] | None
    kinds: tuple[str, ...]
    customer: str | None


def changes(con: duckdb.DuckDBPyConnection, wanted: ChangeFilter) -> pa.Table:
    """Return the selected changes with the names of customers, products and SKUs."""
    try:
        con.register("change_row", _rows(con, wanted))
        binds = {"kinds": list(wanted.kinds), "customer": wanted.customer}
        statement = sql.statement("read/changes/change_named")
        return con.sql(statement, params=binds).to_arrow_table()
    except duckdb.Error as error:
        raise reading.translated(error) from error


def query(wanted: ChangeFilter) -> str | None:
    """Return the SQL that `changes` runs; None if that SQL may read any relation."""
    if wanted.between is not None:
        return None
    return sql.statement("read/changes/newest_change") + sql.statement("read/changes/change_named")


def _rows(con: duckdb.DuckDBPyConnection, wanted: ChangeFilter) -> pa.Table:
    if wanted.between is not None:
        return _between(con, *wanted.between)
    if wanted.snapshot is not None:
        statement = "SELECT * FROM change WHERE snapshot_id = ?"
        return con.sql(statement, params=[wanted.snapshot]).to_arrow_table()
    return con.sql(sql.statement("read/changes/newest_change")).to_arrow_table()


def _between(con: duckdb.DuckDBPyConnection, before: str, after: str) -> pa.Table:
    """Return the differences between two snapshots as rows of the relation `change`.

    Only keys that are in both snapshots are compared: a key in only one of them is no difference.
    """
    con.execute(sql.statement("macros/change_kind"))
    binds = {"before": before, "after": after}
    tables = [
        con.sql(sql.statement(f"read/changes/between_{name}"), params=binds).to_arrow_table()
        for name in ("inventory", "availability")
    ]
    return pa.concat_tables(tables, promote_options="permissive")


def causes(rows: pa.Table) -> pa.Table:
    """Return changes grouped by subject, kind, product, region and reason."""
    with connect() as con:
        con.register("change_row", rows)
        return con.sql(sql.statement("read/changes/cause")).to_arrow_table()


def gaps(cells_and_before: pa.Table, published: pa.Table, coverage: pa.Table) -> pa.Table:
    """Compute `Store.gaps` from the tables `published` (snapshot_id, sequence) and `coverage`."""
    with connect() as con:
        con.register("asked", cells_and_before)
        con.register("published", published)
        con.register("coverage", coverage)
        return con.sql(sql.statement("read/changes/gap")).to_arrow_table()
