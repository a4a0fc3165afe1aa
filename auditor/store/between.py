"""Compares two published snapshots as a night compares its answers with the known rows.

The earlier snapshot gives the known rows, the later one the answers, and the relation `remembered`
the facts that a night proves by its listings. So both comparisons find the same kinds of change.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from auditor.errors import InputMissing
from auditor.store import sql
from auditor.store.compare import FACTS, NONE_AFFECTED, Diff, covers
from auditor.store.duck import spill_folder
from auditor.tables import AVAILABILITY_KEY, INVENTORY_KEY, SCHEMAS

AT_ONCE = 250_000
"""Differing rows that are compared at once."""
RELATIONS = (
    "snapshot",
    "coverage",
    "inventory",
    "availability",
    "azure_subscription",
    "customer",
    "sku",
    "remembered",
)
"""The relations that the comparison reads."""
_ANSWERS = ("inventory", "availability")
_FACTS = ("new_subscription", "new_sku", "catalog_event")
_SUSPECTS = {
    name: pa.schema([SCHEMAS[name].field(column) for column in key]).empty_table()
    for name, key in (("inventory", INVENTORY_KEY), ("availability", AVAILABILITY_KEY))
}
_SETTLED = pa.schema(
    [*SCHEMAS["check_outcome"], ("segment", pa.string()), ("not_found", pa.bool_())]
).empty_table()
Binds = Mapping[str, object]


def changes(
    con: duckdb.DuckDBPyConnection, before: str, after: str, *, at_once: int = AT_ONCE
) -> pa.Table:
    """Return what changed from one snapshot to another, as rows of the relation `change`.

    Only cells that both snapshots cover are compared. A pending answer is no verdict, so no change
    is suspect. `gap_snapshots` is 0, because the snapshots in between are not read. Raises
    InputMissing if the rows of a snapshot were pruned.
    """
    groups = _groups(con, before, after, at_once) if before != after else ()
    return pa.concat_tables([SCHEMAS["change"].empty_table(), *groups])


def _groups(
    con: duckdb.DuckDBPyConnection, before: str, after: str, at_once: int
) -> Iterator[pa.Table]:
    """Yield the changes of one group of customers after the other; the catalog's come last."""
    binds = {"before": before, "after": after}
    _check_held(con, binds)
    con.execute(sql.statement("macros/is_catalogs_own"))
    cells = _cells(con, binds)
    con.register("cell", cells)
    for name in _ANSWERS:
        con.execute(f"CREATE OR REPLACE TEMP VIEW held AS FROM {name}")
        statement = sql.statement("read/between/differing")
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE differing_{name} AS {statement}",
            {"snapshot": before, "other": after},
        )
        con.execute(
            f"INSERT INTO differing_{name} {statement}", {"snapshot": after, "other": before}
        )
    con.register("absence_after", _read(con, "catalog_absence", {"snapshot": after}))
    facts = _facts(con, binds)
    affected = NONE_AFFECTED
    for customers in _customers(con, at_once):
        con.register("in_group", pa.table({"customer_id": pa.array(customers, pa.string())}))
        with Diff.open(facts, affected, spill=Path(spill_folder())) as diff:
            compared = diff.bucket(
                con.sql("FROM cell SEMI JOIN in_group USING (customer_id)").to_arrow_table(),
                {
                    **{name: _rows(con, "known", f"differing_{name}", before) for name in _ANSWERS},
                    "remembered": _rows(con, "known", "remembered", before),
                },
                {name: _rows(con, "answer", f"differing_{name}", after) for name in _ANSWERS},
                found={},
                settled=_SETTLED,
                suspects=_SUSPECTS,
                gaps=_no_gaps,
                is_catalog="" in customers,
                relations=("change",),
            )
            affected = diff.affected()
        yield compared["change"]


def _check_held(con: duckdb.DuckDBPyConnection, binds: Binds) -> None:
    for row in _read(con, "emptied", binds).to_pylist():
        raise InputMissing(
            f"snapshot {row['snapshot_id']}: its rows were pruned",
            hint="its own changes are kept: auditor changes --snapshot ID",
        )


def _cells(con: duckdb.DuckDBPyConnection, binds: Binds) -> pa.Table:
    """Return the cells that both snapshots cover, with the columns that `sql/steps/` read."""
    found = _read(con, "cell", binds)
    is_baseline = [
        row["status_before"] == "left"
        or row["was_unlisted"]
        or not covers(_scope(row["scope_before"]), _scope(row["scope"]))
        for row in found.to_pylist()
    ]
    previous = pa.repeat(pa.scalar(binds["before"], pa.string()), found.num_rows)
    return (
        found.select(["customer_id", "country", "status"])
        .append_column("previous_snapshot_id", previous)
        .append_column("is_baseline", pa.array(is_baseline, pa.bool_()))
    )


def _scope(text: str | None) -> dict[str, Any]:  # Any: JSON
    scope: dict[str, Any] = json.loads(text or "{}")
    return scope


def _facts(con: duckdb.DuckDBPyConnection, binds: Binds) -> dict[str, pa.Table]:
    """Return the facts of the comparison; those that make no change are empty."""
    facts = {
        name: pa.schema(list(columns.items())).empty_table() for name, columns in FACTS.items()
    }
    facts |= {name: _read(con, name, binds) for name in _FACTS}
    facts["catalog_absence"] = _read(con, "catalog_absence", {"snapshot": binds["before"]})
    facts["this"] = _read(con, "this", {"after": binds["after"]})
    return facts


def _customers(con: duckdb.DuckDBPyConnection, at_once: int) -> Iterator[list[str]]:
    rows = _read(con, "customer_group", {"at_once": at_once}).to_pylist()
    for _, group in groupby(rows, key=lambda row: row["place"]):
        yield [row["customer_id"] for row in group]


def _rows(con: duckdb.DuckDBPyConnection, name: str, table: str, snapshot: str) -> pa.Table:
    """Return the rows of a table that one snapshot has of the group, by `known` or `answer`."""
    con.execute(f"CREATE OR REPLACE TEMP VIEW held AS FROM {table}")
    return _read(con, name, {"snapshot": snapshot})


def _read(con: duckdb.DuckDBPyConnection, name: str, binds: Binds) -> pa.Table:
    statement = sql.statement(f"read/between/{name}")
    return con.sql(statement, params=dict(binds)).to_arrow_table()


def _no_gaps(candidates: pa.Table) -> pa.Table:
    nothing = candidates.slice(0, 0)
    return nothing.append_column("gap_snapshots", pa.array([], pa.int64()))
