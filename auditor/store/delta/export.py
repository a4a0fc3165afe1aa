"""Keeps a Delta table for each relation up to date with a store, snapshot by snapshot.

Rows of a snapshot never change, so they are appended once; the table records the sequence of the
newest snapshot that it holds. A snapshot's own row is written last: a reader that starts from the
table `snapshot` finds all rows of the snapshots in it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
from duckdb import ColumnExpression, ConstantExpression

from auditor.errors import InputMissing
from auditor.store.delta.tables import Table, checked_url, require, schema
from auditor.store.interface import Store
from auditor.tables import KEYS, SCHEMAS

AT_ONCE = 1_000_000
"""Rows of inventory and availability after which the next snapshot goes into another commit."""
_BATCH = 100_000
APPENDED = tuple(name for name in KEYS if name != "snapshot")
"""The relations whose rows are appended. `snapshot` and `attempt` are small, and replaced."""
EXPORTED = pa.schema([("relation", pa.string()), ("written", pa.int64()), ("deleted", pa.int64())])
"""The columns of the result: the rows written to each table, and those deleted from it."""


class _Snapshot(msgspec.Struct, frozen=True):
    sequence: int
    snapshot_id: str
    rows: int


def export(store: Store, url: str, *, at_once: int = AT_ONCE) -> pa.Table:
    """Write what the Delta tables below `url` lack; return the rows of `EXPORTED`.

    Rows that a prune removed from the store stay in the tables. Rows of a customer that the store
    has forgotten are deleted. Raises SettingsError if deltalake is not installed.
    """
    folder = checked_url(url)
    require()
    return _Export(store, folder, at_once).run()


class _Export:
    def __init__(self, store: Store, folder: str, at_once: int) -> None:
        self._store = store
        self._at_once = at_once
        ids = store.published()
        if not ids:
            raise InputMissing("the store has no snapshot to export", hint="see: auditor run")
        app = f"csp-sku-auditor {ids[0]}"  # the first id of a store is never removed
        self._tables = {name: Table(folder, name, app) for name in (*KEYS, "attempt")}
        self._written = dict.fromkeys(self._tables, 0)
        self._deleted = dict.fromkeys(self._tables, 0)

    def run(self) -> pa.Table:
        rows = self._read("snapshot").sort_by("sequence")
        snapshots = [
            _Snapshot(row["sequence"], row["snapshot_id"], _size(row)) for row in rows.to_pylist()
        ]
        for name in APPENDED:
            while (count := self._append(name, snapshots)) is not None:
                self._written[name] += count
        self._forget()
        newest = snapshots[-1].sequence
        for name, table in (("attempt", self._read("attempt")), ("snapshot", rows)):
            self._written[name] = self._tables[name].replace(newest, table)
        found = [(name, self._written[name], self._deleted[name]) for name in self._tables]
        return pa.Table.from_arrays(
            [pa.array(column) for column in zip(*found, strict=True)], schema=EXPORTED
        )

    def _append(self, relation: str, snapshots: Sequence[_Snapshot]) -> int | None:
        """Append the rows of the next snapshots; return how many, None if there are no more."""

        def rows_after(sequence: int) -> tuple[int, Iterator[pa.RecordBatch]] | None:
            lacking = [each for each in snapshots if each.sequence > sequence]
            some = list(_first(lacking, self._at_once))
            if not some:
                return None
            return some[-1].sequence, self._batches(relation, [each.snapshot_id for each in some])

        return self._tables[relation].append(rows_after)

    def _batches(self, relation: str, ids: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a relation of some snapshots; memory holds some of them."""
        of_these = ColumnExpression("snapshot_id").isin(*map(ConstantExpression, ids))
        with self._store.connect(query=relation, snapshots=ids, is_sparing=True) as con:
            found = con.table(relation).filter(of_these).select(*SCHEMAS[relation].names)
            for batch in found.to_arrow_reader(_BATCH):
                yield from pa.Table.from_batches([batch]).cast(schema(relation)).to_batches()

    def _read(self, relation: str) -> pa.Table:
        return self._store.arrow(relation).cast(schema(relation))

    def _forget(self) -> None:
        """Delete the rows of customers that the store has forgotten."""
        kept = self._store.sql("SELECT DISTINCT customer_id FROM coverage")
        gone = self._tables["coverage"].customers().difference(kept["customer_id"].to_pylist())
        if not gone:
            return
        # the table that shows who is gone comes last, so that a killed export can be repeated
        names = [name for name in APPENDED if "customer_id" in SCHEMAS[name].names]
        for name in sorted(names, key=lambda name: name == "coverage"):
            self._deleted[name] = self._tables[name].delete(sorted(gone))


def _size(row: Mapping[str, Any]) -> int:
    return int((row["inventory_rows"] or 0) + (row["availability_rows"] or 0))


def _first(snapshots: Iterable[_Snapshot], at_once: int) -> Iterator[_Snapshot]:
    """Yield snapshots until they have `at_once` rows."""
    rows = 0
    for each in snapshots:
        yield each
        rows += each.rows
        if rows >= at_once:
            return
