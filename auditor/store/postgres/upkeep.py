"""Upkeep of a PostgreSQL store: rows held against what was published, and bulk that is dropped."""

from datetime import datetime

import pyarrow as pa
from sqlalchemy import ColumnElement, Connection, Select, delete, exists, func, select, update

from auditor.errors import StoreCorrupt, StoreError
from auditor.store import conform
from auditor.store.postgres import tables as places
from auditor.store.postgres.digest import digest
from auditor.tables import BULKY, STATE, TIME

_SCHEMA = pa.schema(
    [
        pa.field("snapshot_id", pa.string()),
        pa.field("partner_tenant_id", pa.string()),
        pa.field("published_at", TIME),
        pa.field("rows", pa.int64()),
    ]
)
_OF_A_SNAPSHOT = ("check_outcome", *(n for n in places.TABLES if "_checked" in n))
"""Tables whose rows belong to one snapshot alone, and go with it."""


def is_pruned(con: Connection, snapshot_id: str) -> bool:
    """Return whether the bulky relations of a snapshot were dropped."""
    pruned = select(places.PUBLICATION.c.pruned_at)
    found = con.execute(pruned.where(places.PUBLICATION.c.snapshot_id == snapshot_id))
    return found.scalar() is not None


def said(con: Connection, snapshot_id: str) -> dict[str, tuple[int, int]]:
    """Return how many rows each relation had when it was published, and what they came to."""
    of = places.DIGEST.c
    rows = con.execute(
        select(of.relation, of.row_count, of.digest).where(of.snapshot_id == snapshot_id)
    )
    pruned = is_pruned(con, snapshot_id)
    return {
        relation: (count, int(number))
        for relation, count, number in rows
        if not (pruned and relation in BULKY)
    }


def rows_of(relation: str, snapshot_id: str) -> Select[tuple[object, ...]]:
    """Return the question for all rows of a relation in a snapshot."""
    held = places.HELD[relation]
    return select(*held.c).where(held.c.snapshot_id == snapshot_id)


def fault(
    snapshot_id: str, relation: str, expected: tuple[int, int], found: pa.Table
) -> StoreError | None:
    """Return what is wrong with the rows that are there."""
    count, number = expected
    if found.num_rows != count:
        return StoreCorrupt(
            f"{snapshot_id}: {relation}: expected {count} rows, found {found.num_rows}",
            hint="bring the database back from a backup",
        )
    if digest(conform.conformed(relation, found, snapshot_id)) != number:
        return StoreCorrupt(
            f"{snapshot_id}: {relation}: its {count} rows are not those that were published",
            hint="bring the database back from a backup",
        )
    return None


def plan(con: Connection, older_than: datetime) -> pa.Table:
    """Return the snapshots whose bulky relations may go, with how many rows are theirs alone."""
    snapshot = places.TABLES["snapshot"]
    prunable = con.execute(
        select(snapshot.c.snapshot_id, snapshot.c.partner_tenant_id, snapshot.c.published_at)
        .join(places.PUBLICATION, places.PUBLICATION.c.snapshot_id == snapshot.c.snapshot_id)
        .where(
            snapshot.c.published_at < older_than,
            places.PUBLICATION.c.pruned_at.is_(None),
            ~exists().where(places.LATEST.c.snapshot_id == snapshot.c.snapshot_id),
        )
        .order_by(snapshot.c.sequence)
    ).mappings()
    rows = [{**row, "rows": _rows_of_its_own(con, row["snapshot_id"])} for row in prunable]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _rows_of_its_own(con: Connection, snapshot_id: str) -> int:
    return sum(
        con.execute(
            select(func.count()).where(places.TABLES[name].c.snapshot_id == snapshot_id)
        ).scalar_one()
        for name in _OF_A_SNAPSHOT
    )


def prune(con: Connection, older_than: datetime, now: datetime) -> pa.Table:
    """Drop what `plan` says, and every interval that no snapshot shows any more."""
    rows = plan(con, older_than)
    dropped = rows.column("snapshot_id").to_pylist()
    publication = places.PUBLICATION
    con.execute(
        update(publication).where(publication.c.snapshot_id.in_(dropped)).values(pruned_at=now)
    )
    for name in _OF_A_SNAPSHOT:
        table = places.TABLES[name]
        con.execute(delete(table).where(table.c.snapshot_id.in_(dropped)))
    for relation in STATE:
        table = places.TABLES[relation]
        con.execute(delete(table).where(table.c.valid_to.is_not(None), ~_is_shown(relation)))
    return rows


def _is_shown(relation: str) -> ColumnElement[bool]:
    """Return whether a snapshot that is not pruned covers the cell while an interval lasted."""
    intervals, held = places.TABLES[relation].c, places.HELD_CELL.c
    columns = conform.cell_columns(relation)
    cell = [
        held[name] == (intervals[name] if name in columns else "")
        for name in ("partner_tenant_id", "customer_id", "country")
    ]
    during = (held.sequence >= intervals.valid_from, held.sequence < intervals.valid_to)
    return exists().where(*cell, *during)
