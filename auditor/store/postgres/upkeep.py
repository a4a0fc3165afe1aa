"""Verifies snapshots against their digests, and removes what is old: bulk, and attempts."""

from collections import Counter
from datetime import datetime

import pyarrow as pa
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    delete,
    exists,
    func,
    select,
    tuple_,
    update,
)

from auditor.errors import StoreCorrupt, StoreError
from auditor.store import conform, removal
from auditor.store.postgres import tables
from auditor.store.postgres.digest import digest
from auditor.tables import BULKY, SCHEMA_VERSION, STATE, lacking

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
    """Return what can be pruned: bulk of old snapshots that no cell has as its newest; attempts."""
    return removal.pruned([*_old_snapshots(con, older_than), *_old_attempts(con, older_than)])


def _old_snapshots(con: Connection, older_than: datetime) -> list[dict[str, object]]:
    snapshot = tables.TABLES["snapshot"]
    prunable = con.execute(
        select(snapshot.c.snapshot_id, snapshot.c.published_at)
        .join(tables.PUBLICATION, tables.PUBLICATION.c.snapshot_id == snapshot.c.snapshot_id)
        .where(
            snapshot.c.published_at < older_than,
            tables.PUBLICATION.c.pruned_at.is_(None),
            ~exists().where(tables.LATEST.c.snapshot_id == snapshot.c.snapshot_id),
        )
        .order_by(snapshot.c.sequence)
    )
    return [
        {"what": "snapshot", "id": found, "at": at, "rows": _rows_of_its_own(con, found)}
        for found, at in prunable
    ]


def _old_attempts(con: Connection, older_than: datetime) -> list[dict[str, object]]:
    keys = _keys_of_old_attempts(con, older_than)
    began = {run_id: at for run_id, _, at in keys}
    rows = Counter(run_id for run_id, _, _ in keys)
    return [
        {"what": "attempt", "id": run_id, "at": at, "rows": rows[run_id]}
        for run_id, at in sorted(began.items())
    ]


def _keys_of_old_attempts(con: Connection, older_than: datetime) -> set[removal.AttemptKey]:
    attempt = tables.ATTEMPT.c
    columns = (attempt.run_id, attempt.partner_tenant_id, attempt.started_at, attempt.kind)
    rows = con.execute(select(*columns)).mappings()
    return removal.old_attempts((dict(row) for row in rows), older_than)


def _rows_of_its_own(con: Connection, snapshot_id: str) -> int:
    return sum(
        con.execute(
            select(func.count()).where(tables.TABLES[name].c.snapshot_id == snapshot_id)
        ).scalar_one()
        for name in _OF_A_SNAPSHOT
    )


def prune(con: Connection, older_than: datetime, now: datetime) -> pa.Table:
    """Delete what `plan` returns, and intervals that no unpruned snapshot shows."""
    rows = [*_old_snapshots(con, older_than), *_old_attempts(con, older_than)]
    _prune_attempts(con, older_than)
    dropped = [row["id"] for row in rows if row["what"] == "snapshot"]
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
    return removal.pruned(rows)


def _prune_attempts(con: Connection, older_than: datetime) -> None:
    attempt = tables.ATTEMPT
    keys = [(run_id, partner) for run_id, partner, _ in _keys_of_old_attempts(con, older_than)]
    if keys:  # a database without the optional step that grants this has no right to try
        of_attempt = tuple_(attempt.c.run_id, attempt.c.partner_tenant_id)
        con.execute(delete(attempt).where(of_attempt.in_(keys)))


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
