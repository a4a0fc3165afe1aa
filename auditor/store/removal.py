"""Describes what a prune or an erasure removes, in the same rows for every kind of data."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from auditor.tables import TIME

PRUNED = pa.schema(
    [
        pa.field("what", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("at", TIME),
        pa.field("files", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("bytes", pa.int64()),
    ]
)
"""One row for each thing that a prune removes.

`what` is its kind, `id` the snapshot or run that it belongs to, `at` when that was published or
began. A number is null where it means nothing: a database has no files.
"""


def pruned(rows: Iterable[Mapping[str, object]]) -> pa.Table:
    """Return rows as a table with the columns of `PRUNED`."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=PRUNED)


AttemptRow = Mapping[str, Any]  # of any columns
AttemptKey = tuple[str, str, datetime]
"""The run and partner of an attempt, and when the run began."""


def old_attempts(attempts: Iterable[AttemptRow], older_than: datetime) -> set[AttemptKey]:
    """Return the attempts that began before `older_than`.

    Each partner's last attempt, and its last attempt of a full run, are not among them: they say
    how the partner's last night went.
    """
    newest_first = sorted(attempts, key=lambda row: (row["started_at"], row["run_id"]))[::-1]
    found: set[AttemptKey] = set()
    seen: set[tuple[str, bool]] = set()
    for row in newest_first:
        partner, is_full = row["partner_tenant_id"], row["kind"] == "full"
        is_last = (partner, False) not in seen or (is_full and (partner, True) not in seen)
        if not is_last and row["started_at"] < older_than:
            found.add(key_of(row))
        seen |= {(partner, False), (partner, is_full)}
    return found


def key_of(attempt: AttemptRow) -> AttemptKey:
    """Return the key of a row of the relation `attempt`."""
    return attempt["run_id"], attempt["partner_tenant_id"], attempt["started_at"]
