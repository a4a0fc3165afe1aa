"""Gathers changes into causes: what many changed keys have in common explains all of them."""

import duckdb
import pyarrow as pa

from auditor.store import history, reading, sql
from auditor.store.history import ChangeFilter

RELATIONS = "sku_name current_sku"
"""Base views and views that `gather` reads, besides what is known of keys."""
_MACROS = ("is_beyond_chance", "in_common", "counted")
_SHOWN = ("inventory", "availability")
_STEPS = ("changed_key", "known_key", "known_place", "placed")


def gather(
    con: duckdb.DuckDBPyConnection,
    changes: pa.Table,
    *,
    customer: str | None = None,
    partner: str | None = None,
) -> pa.Table:
    """Return the causes of changes, those with most changes first; single changes come last.

    Each change counts in one cause. `con` has the views `shown_inventory` and
    `shown_availability`, what is known of keys. With `customer` or `partner`, only their keys
    count as known.
    """
    binds = {"customer": customer, "partner": partner}
    try:
        con.register("change_row", changes)
        for macro in _MACROS:
            con.execute(sql.statement(f"macros/{macro}"))
        for step in _STEPS:
            statement = sql.statement(f"read/causes/{step}").rstrip().rstrip(";")
            con.execute(
                f"CREATE OR REPLACE TEMP TABLE {step} AS {statement}",
                binds if step == "known_key" else None,
            )
        return con.sql(sql.statement("read/causes/cause")).to_arrow_table()
    except duckdb.Error as error:
        raise reading.translated(error) from error


def of_selection(con: duckdb.DuckDBPyConnection, wanted: ChangeFilter) -> pa.Table:
    """Return the causes of the selected changes, measured against what is known now."""
    changes = history.changes(con, wanted)
    for relation in _SHOWN:
        con.execute(f"CREATE OR REPLACE TEMP VIEW shown_{relation} AS FROM current_{relation}")
    return gather(con, changes, customer=wanted.customer, partner=wanted.partner)


def query(wanted: ChangeFilter) -> str:
    """Return SQL that reads at least the relations and views that `of_selection` reads."""
    return " ".join((history.query(wanted), RELATIONS, *(f"current_{one}" for one in _SHOWN)))
