"""Reads the known rows of one bucket.

The rows and the times of their checks are joined here, not in SQL. The server has no statistics yet
of the rows that a night has just written, so its join would hash and spill all of them.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import (
    ColumnElement,
    Select,
    SmallInteger,
    Text,
    any_,
    bindparam,
    cast,
    collate,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
)

from auditor.store import conform
from auditor.store.postgres import tables
from auditor.store.postgres.connection import BEGIN_SNAPSHOT, Database, fetched
from auditor.store.span import EVERYONE, Span
from auditor.tables import CELL, SCHEMAS

_PARTNER = "partner_tenant_id"
"""The column that has the same value in all rows, so it is not selected."""
_WHEN = ("checked", "checked_apart")
_GIVEN: dict[str, ColumnElement[Any]] = {
    name: cast(literal_column(f"current_setting('auditor.{name}')"), kind)
    for name, kind in {"partner": Text, "bucket": SmallInteger, "first": Text, "end": Text}.items()
}
"""Parameters of the query, as settings of the transaction: COPY, which streams, binds no values."""
_SET_GIVEN = select(
    *(func.set_config(f"auditor.{name}", bindparam(name, type_=Text), true()) for name in _GIVEN)
)


def read(
    database: Database,
    relation: str,
    bucket: int,
    partner_tenant_id: str,
    names: Sequence[str],
    *,
    span: Span = EVERYONE,
) -> pa.Table:
    """Return the columns `names` of a partner's known rows, of one bucket and `span`."""
    has_times = relation in tables.CHECKS and not set(tables.CHECKED).isdisjoint(names)
    needed = [name for name in names if not has_times or name not in tables.CHECKED]
    needed += [name for name in tables.key(relation) if has_times and name not in needed]
    needed = [name for name in needed if name != _PARTNER]
    where = {"is_of_everyone": span == EVERYONE, "is_last": not span.end}
    given = (partner_tenant_id, str(bucket), span.first, span.end)
    with database.arrow() as con, con.cursor() as cursor:
        cursor.execute(BEGIN_SNAPSHOT)
        cursor.execute("SET LOCAL enable_nestloop = off")  # a nested loop would look up row by row
        fetched(cursor, _SET_GIVEN, dict(zip(_GIVEN, given, strict=True)))
        rows = fetched(cursor, _open_intervals(relation, tuple(needed), **where))
        partner = pa.repeat(pa.scalar(partner_tenant_id), rows.num_rows)
        rows = _typed(relation, rows.append_column(_PARTNER, partner))
        if has_times:
            queries = (_times_of(f"{relation}_{when}", **where) for when in _WHEN)
            checked, apart = (_typed(relation, fetched(cursor, query)) for query in queries)
            rows = _with_times(relation, rows, checked, apart)
        cursor.execute("COMMIT")
    return rows.select(names)


@cache
def _open_intervals(
    relation: str, names: tuple[str, ...], *, is_of_everyone: bool, is_last: bool
) -> Select[Any]:
    of = tables.TABLES[relation].c
    mine = _inside(dict(of), is_of_everyone=is_of_everyone, is_last=is_last)
    return select(*(of[name] for name in names)).where(*mine, of.valid_to.is_(None))


def _inside(
    of: Mapping[str, Any], *, is_of_everyone: bool, is_last: bool
) -> list[ColumnElement[bool]]:
    mine = [of["partner_tenant_id"] == _GIVEN["partner"], of["bucket"] == _GIVEN["bucket"]]
    if is_of_everyone:
        return mine
    if "customer_id" not in of:
        return [*mine, true() if is_last else false()]
    customer = collate(of["customer_id"], "C")
    inside = customer >= _GIVEN["first"]
    if is_last:
        return [*mine, or_(inside, customer == "")]
    return [*mine, inside, customer < _GIVEN["end"], customer != ""]


@cache
def _times_of(name: str, *, is_of_everyone: bool, is_last: bool) -> Select[Any]:
    """Return the query for the times in the newest snapshot of each cell."""
    of, latest = tables.TABLES[name].c, tables.LATEST.c
    mine = _inside(dict(of), is_of_everyone=is_of_everyone, is_last=is_last)
    newest = select(latest.snapshot_id).where(latest.partner_tenant_id == _GIVEN["partner"])
    cell = [latest[name] == of[name] for name in (*CELL, "snapshot_id")]
    columns = [column for column in of if column.name not in ("snapshot_id", "bucket")]
    ids = func.array(newest.distinct().scalar_subquery())
    return select(*columns).where(*mine, of.snapshot_id == any_(ids), *cell)


def _typed(relation: str, table: pa.Table) -> pa.Table:
    return table.cast(pa.schema([SCHEMAS[relation].field(name) for name in table.column_names]))


def _with_times(relation: str, rows: pa.Table, checked: pa.Table, apart: pa.Table) -> pa.Table:
    """Add each row's check time: from `apart` if the row is there, else from `checked`."""
    of_check = _matches(rows, checked, tables.CHECKS[relation])
    of_key = _matches(rows, apart, tables.key(relation))
    which = np.where(of_key < 0, of_check, of_key + checked.num_rows)
    times = pa.concat_tables([checked.select(tables.CHECKED), apart.select(tables.CHECKED)])
    found = times.take(pa.array(which, mask=which < 0))
    for name in tables.CHECKED:
        rows = rows.append_column(found.field(name), found.column(name))
    return rows


def _matches(rows: pa.Table, among: pa.Table, columns: Sequence[str]) -> conform.Codes:
    """Return, for each row, the index of the row in `among` with equal `columns`; -1 for none."""
    if not among.num_rows:
        return np.full(rows.num_rows, -1, dtype=np.int64)
    numbers = conform.numbers(pa.concat_tables([rows.select(columns), among.select(columns)]))
    of_rows, of_among = np.split(numbers, [rows.num_rows])
    place = np.full(numbers.max(initial=0) + 1, -1, dtype=np.int64)
    place[of_among] = np.arange(among.num_rows)
    found: conform.Codes = place[of_rows]
    return found
