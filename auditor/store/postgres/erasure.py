"""Erases a customer from a database, in one transaction.

The digests of a snapshot are corrected by the digests of the customer's rows, so damage that other
rows had before stays visible to `verify`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Select, bindparam, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import JSONB

from auditor.store import conform, erasure
from auditor.store.erasure import Traces
from auditor.store.postgres import tables
from auditor.store.postgres.digest import digest
from auditor.tables import SCHEMAS, lacking

_MODULUS = 2**64
Row = dict[str, Any]  # of any columns
Read = Callable[[Select[Any]], pa.Table]
"""Returns the rows of a query."""


class Erasure:
    """What must be deleted and altered to erase a customer; nothing is written yet."""

    def __init__(self, read: Read, traces: Traces) -> None:
        """`read` must see the store as it is; nobody may publish meanwhile."""
        self._read = read
        self._traces = traces
        self._less: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        """By snapshot and relation: the number of rows, and the digest, that it loses."""
        self._sums: dict[str, Counter[str]] = defaultdict(Counter)
        self._rows: dict[str, Counter[str]] = defaultdict(Counter)
        self._versions = {
            row["snapshot_id"]: row["schema_version"] or 1 for row in self._snapshots().to_pylist()
        }
        self.counts: Counter[str] = Counter()
        """The number of rows of each relation that are deleted or altered."""
        for relation, names in SCHEMAS.items():
            if "customer_id" in names.names:
                self._count(relation)
        self._scopes = list(self._find_scopes())
        self._numbers = list(self._find_numbers())
        self._attempts = list(self._find_attempts())

    def _snapshots(self) -> pa.Table:
        return self._read(select(*tables.SNAPSHOT_ROWS["snapshot"].c))

    def _count(self, relation: str) -> None:
        rows = tables.SNAPSHOT_ROWS[relation]
        theirs = self._read(select(*rows.c).where(rows.c.customer_id == self._traces.customer_id))
        self.counts[relation] += theirs.num_rows
        for snapshot_id, of_snapshot in _by_snapshot(theirs):
            self._lose(relation, snapshot_id, of_snapshot)
            self._rows[snapshot_id][relation] = of_snapshot.num_rows
            if relation == "coverage":
                self._sums[snapshot_id].update(erasure.sums_of(of_snapshot))

    def _lose(self, relation: str, snapshot_id: str, rows: pa.Table, times: int = 1) -> None:
        """Take rows out of a digest; with `times` -1, add them."""
        whole = conform.conformed(relation, rows, snapshot_id)
        compared = whole.drop_columns(lacking(relation, self._versions[snapshot_id]))
        less = self._less[snapshot_id, relation]
        less[0] += times * rows.num_rows
        less[1] += times * digest(compared)

    def _replace(self, relation: str, before: pa.Table, after: pa.Table) -> None:
        for snapshot_id, rows in _by_snapshot(before):
            self._lose(relation, snapshot_id, rows)
        for snapshot_id, rows in _by_snapshot(after):
            self._lose(relation, snapshot_id, rows, times=-1)
        self.counts[relation] += before.num_rows

    def _find_scopes(self) -> Iterator[Row]:
        """Find rows of `coverage` of other customers whose scope names a subscription."""
        rows = tables.SNAPSHOT_ROWS["coverage"]
        for (scope,) in _tuples(self._read(select(rows.c.scope).distinct())):
            if (without := self._traces.scope(scope)) == scope:
                continue
            is_other = rows.c.customer_id != self._traces.customer_id
            before = self._read(select(*rows.c).where(rows.c.scope == scope, is_other))
            self._replace("coverage", before, erasure.erased("coverage", before, self._traces))
            yield {"before": scope, "after": without}

    def _find_numbers(self) -> Iterator[Row]:
        """Find the rows of `snapshot` that change, and yield what they become."""
        snapshots = self._snapshots()
        for place, before in enumerate(snapshots.to_pylist()):
            snapshot_id = before["snapshot_id"]
            sums, rows = self._sums[snapshot_id], self._rows[snapshot_id]
            after = erasure.snapshot_without(before, self._traces, sums, rows)
            if after != before:
                kept = snapshots.slice(place, 1)
                changed = pa.Table.from_pylist([after], schema=snapshots.schema)
                self._replace("snapshot", kept, changed)
                numbers = (*erasure.COUNTS, *erasure.ROW_COUNTS.values())
                yield {name: after[name] for name in ("snapshot_id", "scope", *numbers)}

    def _find_attempts(self) -> Iterator[Row]:
        for before in self._read(select(*tables.ATTEMPT.c)).to_pylist():
            after = self._traces.attempt(before)
            if after != before:
                self.counts["attempt"] += 1
                yield after

    def rows(self) -> list[Row]:
        """Return rows of `erasure.ERASED`."""
        return [{"what": name, "rows": count} for name, count in self.counts.items() if count]

    def apply(self, con: Connection) -> None:
        """Erase the customer, in the transaction of `con`."""
        forget = getattr(func, tables.SCHEMA).forget_customer
        digests = list(self._digests(con))
        values = [literal(each, JSONB) for each in (self._numbers, digests, self._scopes)]
        con.execute(select(forget(self._traces.customer_id, *values)))
        self._write_attempts(con)

    def _digests(self, con: Connection) -> Iterator[Row]:
        of = tables.DIGEST.c
        keys = tuple_(of.snapshot_id, of.relation).in_(list(self._less))
        columns = (of.snapshot_id, of.relation, of.row_count, of.digest)
        for snapshot_id, relation, count, number in con.execute(select(*columns).where(keys)):
            rows, less = self._less[snapshot_id, relation]
            yield {
                "snapshot_id": snapshot_id,
                "relation": relation,
                "row_count": count - rows,
                "digest": str((int(number) - less) % _MODULUS),
            }

    def _write_attempts(self, con: Connection) -> None:
        attempt = tables.ATTEMPT
        key = [
            attempt.c[name] == bindparam(f"of_{name}") for name in ("run_id", "partner_tenant_id")
        ]
        statement = (
            update(attempt)
            .where(*key)
            .values(customers=bindparam("now_customers"), reason=bindparam("now_reason"))
        )
        if self._attempts:
            con.execute(
                statement,
                [
                    {
                        "of_run_id": row["run_id"],
                        "of_partner_tenant_id": row["partner_tenant_id"],
                        "now_customers": row["customers"],
                        "now_reason": row["reason"],
                    }
                    for row in self._attempts
                ],
            )


def _by_snapshot(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    column = table.column("snapshot_id")
    for snapshot_id in column.unique().to_pylist():
        yield snapshot_id, table.filter(pc.equal(column, snapshot_id))


def _tuples(table: pa.Table) -> Iterable[tuple[Any, ...]]:  # of any columns
    return zip(*(table.column(name).to_pylist() for name in table.column_names), strict=True)
