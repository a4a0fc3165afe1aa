"""Finds the runs that began after this run and published some of its cells before it.

Their listings are newer. So they decide whether a customer has left. If they no longer ask about an
Azure subscription or a licence, older answers about it do not bring it back.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from auditor.model import Cell
from auditor.normalize.settled import RowValues
from auditor.scope.found import CustomerFound, Found
from auditor.scope.known import Previous
from auditor.scope.offers import licences
from auditor.store.interface import Store
from auditor.store.sql import statement

_SECOND = len("20261121T020000Z")
"""A snapshot id begins with the second in which its run began."""
# One row of the statement `read/later_check`.
Row = Mapping[str, Any]


class LaterRuns(msgspec.Struct, frozen=True, kw_only=True):
    """What later runs have published of the cells of this run."""

    began: Mapping[Cell, datetime] = {}
    """When the later run of each cell began."""
    not_asked: tuple[RowValues, ...] = ()
    """The rows of the fact `not_asked_later`."""

    @property
    def customers(self) -> frozenset[str]:
        """The customers whose listings a later run has published."""
        return frozenset(cell.customer_id for cell in self.began if not cell.country)

    def status(self, cell: Cell, ours: str, before: Previous | None) -> str:
        """Return the status of a cell: the later listing decides whether it has left."""
        if before is not None and cell in self.began and "left" in {ours, before.status}:
            return before.status
        return ours


NONE = LaterRuns()


def find(
    store: Store,
    found: Found,
    previous: Mapping[Cell, Previous],
    *,
    snapshot_id: str,
    scope: Mapping[str, object],
) -> LaterRuns:
    """Return the later runs among those that published the newest snapshot of each cell.

    `previous` is the published state of each cell; `snapshot_id` and `scope` are this run's. A cell
    that failed is left out, because its listing may have failed.
    """
    first = snapshot_id[:_SECOND]
    of = {
        cell: before
        for cell, before in previous.items()
        if cell.customer_id and before.status != "failed" and before.snapshot_id[:_SECOND] >= first
    }
    if not of:
        return NONE
    ids = sorted({before.snapshot_id for before in of.values()})
    query = statement("read/later_check")
    with store.connect(query=query, snapshots=ids) as con:
        binds = {"snapshots": ids, "began": found.started_at}
        rows = con.sql(query, params=binds).to_arrow_table().to_pylist()
    began = {row["snapshot_id"]: row["started_at"] for row in rows}
    ours = _as_scope(scope)
    alike = {row["snapshot_id"] for row in rows if _as_scope(json.loads(row["scope"])) == ours}
    later = {cell: one.snapshot_id for cell, one in of.items() if one.snapshot_id in began}
    asked_alike = {
        cell.customer_id: began[name]
        for cell, name in later.items()
        if not cell.country and name in alike
    }
    return LaterRuns(
        began={cell: began[name] for cell, name in later.items()},
        not_asked=tuple(_not_asked(found, asked_alike, rows)),
    )


def _as_scope(scope: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """Return a snapshot's scope without the customers that it is narrowed to."""
    rest = {name: value for name, value in scope.items() if name != "only_customers"}
    if not rest.get("only_countries"):
        rest.pop("only_countries", None)
    return rest


def _not_asked(
    found: Found, asked_alike: Mapping[str, datetime], rows: list[Row]
) -> Iterator[RowValues]:
    """Yield what this run asks about and a later run of the same scope does not.

    If one of the later run's listings of a customer failed, it may have missed something.
    """
    unlisted = {row["customer_id"] for row in rows if row["kind"] == "listing"}
    asked = {
        (row["customer_id"], row["azure_subscription_id"])
        for row in rows
        if row["kind"] == "inventory"
    }
    unanswered = {
        (row["customer_id"], row["product_id"], row["sku_id"])
        for row in rows
        if row["kind"] == "availability" and not row["is_answered"]
    }
    for customer in found.customers:
        customer_id = customer.customer.customer_id
        at = asked_alike.get(customer_id)
        if at is None or customer_id in unlisted:
            continue
        for name in _azure(customer):
            if (customer_id, name) not in asked:
                yield customer_id, name, "", "", at
        for product_id, sku_id in licences(customer.commerce_subscriptions):
            if (customer_id, product_id, sku_id) not in unanswered:
                yield customer_id, "", product_id, sku_id, at


def _azure(customer: CustomerFound) -> Iterator[str]:
    for subscription in customer.azure_subscriptions:
        yield subscription.azure_subscription_id
