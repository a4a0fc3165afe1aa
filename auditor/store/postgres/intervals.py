"""Finds the rows of a bucket that differ from the known rows: only these are written."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from auditor.store import conform
from auditor.store.postgres import tables


def changed_rows(
    relation: str, known: pa.Table, stated: pa.Table
) -> Iterator[tuple[str, pa.Table]]:
    """Yield the rows to stage for one bucket of a relation, each with the name of its table.

    Known rows of cells without a row in `stated` are ignored.
    """
    columns = list(tables.of_interval(relation))
    now = stated.select(columns)
    ended, begun = _differences(_in_cells(relation, known, stated).select(columns), now)
    yield relation, _marked(ended, is_over=True)
    yield relation, _marked(begun, is_over=False)
    if relation in tables.CHECKS:
        yield from _times(relation, stated)


def _differences(one: pa.Table, other: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the rows of each table that the other table lacks."""
    if not one.num_rows:
        return one, other
    in_one, in_other = _shared(one, other)
    return one.filter(pa.array(~in_one)), other.filter(pa.array(~in_other))


def _shared(one: pa.Table, other: pa.Table) -> tuple[conform.Flags, conform.Flags]:
    """Return, for each row of both tables, whether the other table has it too."""
    numbers = conform.numbers(pa.concat_tables([one, other]))
    of_one, of_other = np.split(numbers, [one.num_rows])
    is_in_one, is_in_other = np.zeros((2, numbers.max(initial=0) + 1), dtype=bool)
    is_in_one[of_one] = True
    is_in_other[of_other] = True
    return is_in_other[of_one], is_in_one[of_other]


def _in_cells(relation: str, known: pa.Table, stated: pa.Table) -> pa.Table:
    cell = conform.cell_columns(relation)
    is_stated, _ = _shared(known.select(cell), stated.select(cell))
    return known if is_stated.all() else known.filter(pa.array(is_stated))


def _times(relation: str, stated: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """Yield the usual time of each check, and the keys that were checked at another time."""
    check = conform.numbers(stated.select(tables.CHECKS[relation]))
    time = conform.ranks(stated, tables.CHECKED)
    is_usual = _usual(check, time) == time
    usual = np.flatnonzero(is_usual)
    _, first = np.unique(check[usual], return_index=True)
    checked = ("snapshot_id", *tables.CHECKS[relation], *tables.CHECKED)
    yield f"{relation}_checked", stated.select(checked).take(pa.array(usual[first]))
    apart = ("snapshot_id", *tables.key(relation), *tables.CHECKED)
    yield f"{relation}_checked_apart", stated.select(apart).filter(pa.array(~is_usual))


def _usual(group: conform.Codes, value: conform.Codes) -> conform.Codes:
    """Return, for each row, the most frequent value in its group; if several are, the highest."""
    values, value = np.unique(value, return_inverse=True)
    pairs, count = np.unique(group * len(values) + value, return_counts=True)
    groups, of_group = np.divmod(pairs, len(values))
    order = np.lexsort((of_group, count, groups))
    most = np.zeros(group.max(initial=0) + 1, dtype=np.int64)
    most[groups[order]] = of_group[order]  # the last assignment wins
    found: conform.Codes = values[most[group]]
    return found


def _marked(table: pa.Table, *, is_over: bool) -> pa.Table:
    return table.append_column("is_over", pa.repeat(pa.scalar(is_over), table.num_rows))
