"""Verifies snapshots against their digests, and drops the bulky relations of old snapshots."""

from datetime import datetime

import pyarrow as pa
from sqlalchemy import ColumnElement, Connection, Select, delete, exists, func, select, update

from auditor.errors import StoreCorrupt, StoreError
from auditor.store import conform
from auditor.store.postgres import tables
from auditor.store.postgres.digest import digest
from auditor.tables import BULKY, SCHEMA_VERSION, STATE, TIME, lacking

_SCHEMA = pa.schema(
    [
        pa.field("snapshot_id", pa.string()),
        pa.field("partner_tenant_id", pa.string()),
        pa.field("published_at", TIME),
        pa.field("rows", pa.int64()),
    ]
)
_OF_A_SNAPSHOT = ("check_outcome", *(n for n in tables.TABLES if "_checked" in n))
"""Tables in which each row belongs to only one snapshot, and is dropped when that is pruned."""


def is_pruned(con: Connection, snapshot_id: str) -> bool:
    """Return whether the bulky relations of a snapshot were dropped."""
    pruned = select(tables.PUBLICATION.c.pruned_at)
    found = con.execute(pruned.where(tables.PUBLICATION.c.snapshot_id == snapshot_id))
    return found.scalar() is not None


def published(con: Connection, snapshot_id: str) -> dict[str, tuple[int, int]]:
    """Return the row count and digest of each relation when the snapshot was published."""
    of = tables.DIGEST.c
    rows = con.execute(
        select(of.relation, of.row_count, of.digest).where(of.snapshot_id == snapshot_id)
    )
    pruned = is_pruned(con, snapshot_id)
    return {
        relation: (count, int(number))
        for relation, count, number in rows
        if not (pruned and relation in BULKY)
    }


def schema_version(con: Connection, snapshot_id: str) -> int:
    """Return the schema version with which the snapshot was published."""
    snapshot = tables.TABLES["snapshot"].c
    found = con.execute(
        select(snapshot.schema_version).where(snapshot.snapshot_id == snapshot_id)
    ).scalar()
    return found or 1


def rows_of(relation: str, snapshot_id: str) -> Select[tuple[object, ...]]:
    """Return the query for all rows of a relation in a snapshot."""
    rows = tables.SNAPSHOT_ROWS[relation]
    return select(*rows.c).where(rows.c.snapshot_id == snapshot_id)


def fault(
    snapshot_id: str,
    relation: str,
    expected: tuple[int, int],
    found: pa.Table,
    *,
    version: int = SCHEMA_VERSION,
) -> StoreError | None:
    """Return the fault of the rows in one relation; None if they are as they were published.

    `version` is the schema version with which they were published: columns that were added later
    are not compared.
    """
    count, number = expected
    if found.num_rows != count:
        return StoreCorrupt(
            f"{snapshot_id}: {relation}: expected {count} rows, found {found.num_rows}",
            hint="restore the database from a backup",
        )
    whole = conform.conformed(relation, found, snapshot_id)
    if digest(whole.drop_columns(lacking(relation, version))) != number:
        return StoreCorrupt(
            f"{snapshot_id}: {relation}: its {count} rows differ from those that were published",
            hint="restore the database from a backup",
        )
    return None


def plan(con: Connection, older_than: datetime) -> pa.Table:
    """Return the snapshots that can be pruned, and how many rows that would delete for each."""
    snapshot = tables.TABLES["snapshot"]
    prunable = con.execute(
        select(snapshot.c.snapshot_id, snapshot.c.partner_tenant_id, snapshot.c.published_at)
        .join(tables.PUBLICATION, tables.PUBLICATION.c.snapshot_id == snapshot.c.snapshot_id)
        .where(
            snapshot.c.published_at < older_than,
            tables.PUBLICATION.c.pruned_at.is_(None),
            ~exists().where(tables.LATEST.c.snapshot_id == snapshot.c.snapshot_id),
        )
        .order_by(snapshot.c.sequence)
    ).mappings()
    rows = [{**row, "rows": _rows_of_its_own(con, row["snapshot_id"])} for row in prunable]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _rows_of_its_own(con: Connection, snapshot_id: str) -> int:
    return sum(
        con.execute(
            select(func.count()).where(tables.TABLES[name].c.snapshot_id == snapshot_id)
        ).scalar_one()
        for name in _OF_A_SNAPSHOT
    )


def prune(con: Connection, older_than: datetime, now: datetime) -> pa.Table:
    """Delete rows of the snapshots in `plan`, and intervals that no unpruned snapshot shows."""
    rows = plan(con, older_than)
    dropped = rows.column("snapshot_id").to_pylist()
    publication = tables.PUBLICATION
    con.execute(
        update(publication).where(publication.c.snapshot_id.in_(dropped)).values(pruned_at=now)
    )
    for name in _OF_A_SNAPSHOT:
        table = tables.TABLES[name]
        con.execute(delete(table).where(table.c.snapshot_id.in_(dropped)))
    for relation in STATE:
        table = tables.TABLES[relation]
        con.execute(delete(table).where(table.c.valid_to.is_not(None), ~_is_shown(relation)))
    return rows


def _is_shown(relation: str) -> ColumnElement[bool]:
    """Return the condition that an unpruned snapshot covers the cell during the interval."""
    intervals, held = tables.TABLES[relation].c, tables.HELD_CELL.c
    columns = conform.cell_columns(relation)
    cell = [
        held[name] == (intervals[name] if name in columns else "")
        for name in ("partner_tenant_id", "customer_id", "country")
    ]
    during = (held.sequence >= intervals.valid_from, held.sequence < intervals.valid_to)
    return exists().where(*cell, *during)
