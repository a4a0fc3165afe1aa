"""Reads the known rows of a partner's cells from the files, for a publisher."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from auditor.model import Cell
from auditor.store import conform, sql
from auditor.store.duck import connect
from auditor.store.folder import older, views
from auditor.store.folder.index import Entry, Index, read_file
from auditor.store.span import EVERYONE, Span
from auditor.tables import CELL, SCHEMAS

_CELL_COLUMNS = [*CELL, "snapshot_id", "status", "scope"]


def rows(
    root: Path,
    index: Index,
    relation: str,
    bucket: int,
    current: Mapping[str, set[Cell]],
    *,
    columns: Sequence[str] = (),
    span: Span = EVERYONE,
) -> pa.Table:
    """Return the rows of one bucket, each from the newest snapshot of its cell.

    `current` maps each snapshot to the cells that have it as their newest. `columns`, if given,
    must include the columns that name the cell. Only rows of customers in `span` are read.
    """
    schema = pa.schema([SCHEMAS[relation].field(c) for c in columns or SCHEMAS[relation].names])
    tables = [schema.empty_table()]
    for snapshot_id, cells in sorted(current.items()):
        for path in paths(root, index, relation, bucket, [snapshot_id]):
            table = read_file(path, list(columns) or None, span)
            table = conform.completed(relation, table, schema.names)
            found, which = conform.cells_of(relation, table)
            keep = [cell in cells and span.holds(cell.customer_id) for cell in found]
            if not all(keep):
                table = table.filter(pa.array(keep, pa.bool_()).take(pa.array(which)))
            tables.append(table)
    return pa.concat_tables(tables).unify_dictionaries()


def paths(
    root: Path, index: Index, relation: str, bucket: int, snapshot_ids: Iterable[str]
) -> list[Path]:
    """Return the files of one bucket of a relation, of some snapshots."""
    return [
        Path(path)
        for one in snapshot_ids
        for path in index.by_id[one].paths(root, relation, (bucket,))
    ]


def cell_paths(root: Path, index: Index, buckets: int, partner_tenant_id: str) -> list[Path]:
    """Return the files that `cells` reads."""
    return [
        path
        for bucket in range(buckets)
        for path in paths(
            root,
            index,
            "coverage",
            bucket,
            index.current_cells(partner_tenant_id, bucket, buckets),
        )
    ]


def cells(root: Path, index: Index, buckets: int, partner_tenant_id: str) -> pa.Table:
    """Return each cell of a partner with the status and scope in its newest snapshot."""
    tables = []
    for bucket in range(buckets):
        current = index.current_cells(partner_tenant_id, bucket, buckets)
        tables.append(rows(root, index, "coverage", bucket, current).select(_CELL_COLUMNS))
    found = pa.concat_tables(tables)
    ids = found.column("snapshot_id").to_pylist()
    sequence = pa.array([index.by_id[one].sequence for one in ids], pa.int64())
    return found.append_column("sequence", sequence)


def gaps(
    root: Path, index: Index, entries: Sequence[Entry], cells_and_before: pa.Table
) -> pa.Table:
    """Return each distinct row with the column `gap_snapshots` added.

    It is the number of `entries` that cover the row's cell and are newer than the row's
    `before_snapshot_id`.
    """
    sequences = {entry.snapshot_id: entry.sequence for entry in index.entries}
    published = pa.table(
        {
            "snapshot_id": pa.array(sequences.keys(), pa.string()),
            "sequence": pa.array(sequences.values(), pa.int64()),
        }
    )
    with connect() as con:
        con.register("asked", cells_and_before)
        con.register("published", published)
        views.name_files(con, "coverage", views.files(root, "coverage", entries))
        oldest = older.oldest_version(root, index)
        con.execute(older.completed(sql.statement("duckdb/coverage"), oldest))
        return con.sql(sql.statement("read/changes/gap")).to_arrow_table()
