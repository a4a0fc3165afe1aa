"""Reads published changes, and counts how many snapshots covered a cell after a given one."""

import duckdb
import msgspec
import pyarrow as pa

from auditor.store import between, reading, sql
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


def query(wanted: ChangeFilter) -> str:
    """Return SQL that reads at least the relations and views that `changes` reads."""
    named = sql.statement("read/changes/change_named")
    if wanted.between is not None:
        return f"{named} {' '.join(between.RELATIONS)}"
    return sql.statement("read/changes/newest_change") + named


def _rows(con: duckdb.DuckDBPyConnection, wanted: ChangeFilter) -> pa.Table:
    if wanted.between is not None:
        return between.changes(con, *wanted.between)
    if wanted.snapshot is not None:
        statement = "SELECT * FROM change WHERE snapshot_id = ?"
        return con.sql(statement, params=[wanted.snapshot]).to_arrow_table()
    return con.sql(sql.statement("read/changes/newest_change")).to_arrow_table()


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
