"""Defines the interface that a folder store and a PostgreSQL store share.

Readers' queries run in DuckDB. Readers may name customers and partners by id or by name.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, Unpack

import duckdb
import pyarrow as pa

from auditor.customer_names import CustomerName, ambiguous, as_id, matching, unknown
from auditor.errors import InputMissing, StoreError, UsageError
from auditor.store import causes, erasure, history, reading, sql
from auditor.store.erasure import Traces
from auditor.store.history import ChangeFilter, Selection
from auditor.store.shared_files import SharedFiles
from auditor.store.span import EVERYONE, Span

if TYPE_CHECKING:
    import pandas as pd


class Publication(Protocol):
    """Writes snapshots, one at a time, into a store whose publish lock is held."""

    @property
    def sequence(self) -> int:
        """The place of the snapshot in the order of publication."""

    def stage(self, snapshot_id: str) -> bool:
        """Begin to stage a snapshot; return False if it is published already."""

    def write(self, relation: str, bucket: int, table: pa.Table) -> None:
        """Stage all rows of one bucket of a relation, or those of the next customers in order."""

    def commit(self, snapshot_row: Mapping[str, object], config_hash: str) -> bool:
        """Publish all staged rows, or none; return False if the snapshot was published before.

        Raises Superseded if the partner's published state has changed since `stage`: stage again
        what a new comparison finds.
        """


class Store(ABC):
    """A place that holds published snapshots."""

    buckets: int
    """Number of buckets, fixed when the store is made. All rows of a customer are in one bucket."""

    @abstractmethod
    def publishing(self, timeout_s: float) -> AbstractContextManager[Publication]:
        """Hold the publish lock, and remove the leftovers of killed publishers.

        Raises Locked if the lock is not free within `timeout_s`.
        """

    def recover(self, timeout_s: float = 0.0) -> None:
        """Remove the leftovers of killed publishers."""
        with self.publishing(timeout_s):
            pass

    @abstractmethod
    def known(
        self,
        relation: str,
        bucket: int,
        partner_tenant_id: str,
        *,
        columns: Sequence[str] = (),
        span: Span = EVERYONE,
    ) -> pa.Table:
        """Return the known rows of a partner's cells in one bucket, without `snapshot_id`.

        Reading only some `columns` is quicker; they must include the columns that name the cell.
        Only rows of customers in `span` are read; a row without a customer belongs to the catalog.
        """

    @abstractmethod
    def latest_cells(self, partner_tenant_id: str) -> pa.Table:
        """Return a partner's cells, each with snapshot_id, sequence, status and scope.

        These values are those of the newest snapshot of the cell.
        """

    @abstractmethod
    def gaps(self, cells_and_before: pa.Table) -> pa.Table:
        """Return each distinct row with the column `gap_snapshots` added.

        It is the number of snapshots after `before_snapshot_id` that covered the row's cell.

        Rows have partner_tenant_id, customer_id, country, before_snapshot_id. Each call reads the
        coverage of every snapshot after the oldest of these ids, so pass many rows in one call.
        """

    @abstractmethod
    def published(self) -> Sequence[str]:
        """Return the ids of all snapshots, in the order of publication."""

    @abstractmethod
    def last_published_at(self) -> datetime | None:
        """Return the latest publication time of all snapshots; None if there is no snapshot."""

    @abstractmethod
    def connect(
        self,
        *,
        customer_id: str | None = None,
        query: str | None = None,
        snapshots: Sequence[str] = (),
        products: Sequence[str] = (),
        is_sparing: bool = False,
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Open DuckDB on the published snapshots, with every relation and view.

        The connection can reach only this store, but may be able to write to it: pass untrusted SQL
        to `sql` instead. With `customer_id`, rows of other customers may be missing. With `query`,
        relations and views that this SQL does not use may be missing. With `snapshots`, relations
        other than `snapshot` may lack the rows of other snapshots. With `products`, rows that
        name another product may be missing. With `is_sparing`, DuckDB is slower and takes little
        memory.
        """

    @abstractmethod
    def record_attempts(self, attempts: pa.Table) -> None:
        """Write rows of the relation `attempt`. They replace all earlier rows of the same runs."""

    @abstractmethod
    def shared_files(self) -> SharedFiles:
        """Return the files that the parts of divided runs share."""

    @abstractmethod
    def sql(self, query: str) -> pa.Table:
        """Return the rows of one read-only statement.

        Raises UsageError, with the engine's message, if the statement is wrong or may write.
        """

    @abstractmethod
    def snapshot(self, name: str) -> dict[str, Any]:
        """Return the row of one snapshot."""

    @abstractmethod
    def verify(self, name: str) -> list[StoreError]:
        """Return one error for each part of a published snapshot that is not as published."""

    @abstractmethod
    def prune(self, keep: timedelta, now: datetime, *, apply: bool) -> pa.Table:
        """Return what is older than `keep` and can go, as rows of `removal.PRUNED`.

        These are the bulky relations of snapshots, and attempts. With `apply`, they are removed.
        """

    @abstractmethod
    def customers_ever(self) -> list[CustomerName]:
        """Return every customer that a snapshot names, by each name that it ever had."""

    @abstractmethod
    def forget(self, traces: Traces, *, apply: bool) -> pa.Table:
        """Return how much of each relation holds a customer, as rows of `erasure.ERASED`.

        With `apply`, the customer is erased from all of them. If this is interrupted, a second call
        completes it.
        """

    def traces(self, customer: str) -> Traces:
        """Return what identifies a customer, named by id, domain or exact company name.

        A customer that has left, and a former name, are found too. An id is always accepted: no
        snapshot needs to know it. Raises UsageError for a name of no customer, or of two.
        """
        known = self.customers_ever()
        ids = matching(customer, known) or tuple(filter(None, [as_id(customer)]))
        if len(ids) > 1:
            raise ambiguous(customer, ids)
        if not ids:
            raise unknown([customer], known)
        [customer_id] = ids
        own = [each for each in known if each.customer_id.lower() == customer_id]
        with self.connect(customer_id=customer_id, query=erasure.query()) as con:
            return erasure.traces(con, customer_id, own)

    def _read(
        self,
        read: Callable[[duckdb.DuckDBPyConnection], pa.Table],
        customer_id: str | None = None,
        query: str | None = None,
        snapshots: Sequence[str] = (),
    ) -> pa.Table:
        with self.connect(customer_id=customer_id, query=query, snapshots=snapshots) as con:
            return read(con)

    def table(
        self,
        name: str,
        *,
        customer: str | None = None,
        product: str | None = None,
        sku: str | None = None,
        partner: str | None = None,
        **columns: object,
    ) -> "pd.DataFrame":
        """Return the rows of a relation or view as a DataFrame; see `arrow`."""
        found = self.arrow(
            name, customer=customer, product=product, sku=sku, partner=partner, **columns
        )
        frame: pd.DataFrame = found.to_pandas()
        return frame

    def arrow(
        self,
        name: str,
        *,
        customer: str | None = None,
        product: str | None = None,
        sku: str | None = None,
        partner: str | None = None,
        **columns: object,
    ) -> pa.Table:
        """Return the rows of a relation or view, in a stable order.

        `customer` is an id, a domain or an exact company name, `partner` a tenant id or name,
        `product` a product id, `sku` a SKU id or PRODUCT:SKU; any other keyword (`country`,
        `arm_region`, `verdict`, …) names a column. The value None means no condition.
        """
        reading.check_name(name)
        customer_id = None if customer is None else self.find_customer(customer)
        conditions = reading.conditions(customer_id, product, sku, partner, columns)
        query = f"{name} snapshot"
        return self._read(lambda con: reading.rows(con, name, conditions), customer_id, query)

    def find_customer(self, customer: str) -> str:
        """Return the id of a customer named by id, domain or exact company name."""
        with self.connect(query="current_customer") as con:
            return reading.find_customer(con, customer)

    def find_partner(self, partner: str) -> str:
        """Return the tenant id of a partner named by tenant id or name."""
        with self.connect(query=sql.statement("read/partner_names")) as con:
            return reading.find_partner(con, partner)

    def covered_customer(self, customer: str) -> str:
        """Return the id of a customer. Raise UsageError if no snapshot has ever covered it."""
        customer_id = self.find_customer(customer)
        if as_id(customer):
            with self.connect(query="coverage current_customer") as con:
                reading.check_covered(con, customer_id)
        return customer_id

    def snapshots(self) -> pa.Table:
        """Return the relation `snapshot`, oldest first."""
        return self.arrow("snapshot").sort_by("sequence")

    def snapshot_id(self, name: str) -> str:
        """Return the id of the snapshot that `name` means.

        `name` is an id, the beginning of exactly one id, or `latest`.
        """
        ids = self.published()
        if name == "latest" and ids:
            return ids[-1]
        found = [name] if name in ids else [i for i in ids if i.startswith(name)]
        if len(found) == 1 and name:
            return found[0]
        if name and found:
            raise UsageError(
                f"snapshot {name}: {len(found)} ids begin with it", hint=", ".join(found[:5])
            )
        raise InputMissing(f"no snapshot {name!r}", hint="see: auditor snapshots list")

    def changes(self, **selection: Unpack[Selection]) -> pa.Table:
        """Return the selected changes with the names of customers, products and SKUs.

        Raises UsageError for a value that the store does not know, and for `between` two snapshots
        of two partners.
        """
        wanted = self._change_filter(selection)
        return self._selected(history.changes, history.query(wanted), wanted)

    def causes(self, **selection: Unpack[Selection]) -> pa.Table:
        """Return the changes that `changes` returns, gathered by cause: see `causes.gather`."""
        wanted = self._change_filter(selection)
        return self._selected(causes.of_selection, causes.query(wanted), wanted)

    def _selected(
        self,
        read: Callable[[duckdb.DuckDBPyConnection, ChangeFilter], pa.Table],
        query: str,
        wanted: ChangeFilter,
    ) -> pa.Table:
        found = self._read(
            lambda con: read(con, wanted), wanted.customer, query, wanted.between or ()
        )
        if not found.num_rows and wanted.may_be_unknown:
            with self.connect(query=sql.statement(history.KNOWN_VALUES)) as con:
                history.check_known(con, wanted)
        return found

    def _change_filter(self, selection: Selection) -> ChangeFilter:
        snapshot, pair = selection.get("snapshot"), selection.get("between")
        if pair is not None:
            self._check_same_partner(*pair)
        customer, partner = selection.get("customer"), selection.get("partner")
        product, _, sku = (selection.get("sku") or "").partition(":")
        return ChangeFilter(
            snapshot=self.snapshot_id(snapshot) if snapshot else None,
            between=(self.snapshot_id(pair[0]), self.snapshot_id(pair[1])) if pair else None,
            since=selection.get("since"),
            kinds=tuple(selection.get("kinds", ())),
            customer=self.covered_customer(customer) if customer else None,
            partner=self.find_partner(partner) if partner else None,
            country=selection.get("country"),
            region=selection.get("region"),
            product=product or None,
            sku=sku or None,
            subscription=selection.get("subscription"),
        )

    def _check_same_partner(self, before: str, after: str) -> None:
        first, second = self.snapshot(before), self.snapshot(after)
        if first["partner_tenant_id"] != second["partner_tenant_id"]:
            raise UsageError(
                f"snapshots {first['snapshot_id']} and {second['snapshot_id']} are of two partners:"
                f" {first['partner_name']} and {second['partner_name']}",
                hint="compare two snapshots of one partner: auditor snapshots list",
            )
