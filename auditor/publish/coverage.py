"""Determines the cells that a snapshot covers, how completely, and their previous snapshots."""

import json
from collections import Counter
from collections.abc import Mapping

import msgspec
import pyarrow as pa

from auditor.model import Cell, Outcome
from auditor.normalize.settled import table_of
from auditor.publish.later_runs import NONE, LaterRuns
from auditor.publish.unlisted import cell_of, placed, unlisted
from auditor.scope.found import CatalogFound, CustomerFound, Found
from auditor.scope.known import Previous
from auditor.store.compare import covers

_TEXT = pa.string()


class Counts(msgspec.Struct, kw_only=True):
    """The number of checks of each outcome, in a cell or in a run."""

    answered: int = 0
    failed: int = 0
    skipped: int = 0
    not_eligible: int = 0

    def add(self, outcome: Outcome, count: int = 1) -> None:
        """Count a check once, or `count` times: once for each of its keys."""
        setattr(self, outcome.value, getattr(self, outcome.value) + count)

    @property
    def failed_share(self) -> float:
        """The share of failed and skipped checks; `not_eligible` checks are left out."""
        missing = self.failed + self.skipped
        return missing / (self.answered + missing) if missing else 0.0


CELL_COLUMNS = {
    "customer_id": _TEXT,
    "country": _TEXT,
    "status": _TEXT,
    "scope": _TEXT,
    "checks_answered": pa.int64(),
    "checks_failed": pa.int64(),
    "checks_skipped": pa.int64(),
    "checks_not_eligible": pa.int64(),
    "listings_failed": pa.int64(),
    "customers_unlisted": pa.int64(),
    "previous_snapshot_id": _TEXT,
    "is_baseline": pa.bool_(),
    "is_listed": pa.bool_(),
}


def cells(
    found: Found,
    counts: Mapping[Cell, Counts],
    previous: Mapping[Cell, Previous],
    at_start: Mapping[Cell, str],
    scope: Mapping[str, object],
    *,
    later: LaterRuns = NONE,
) -> pa.Table:
    """Return the cells that the snapshot covers, with the columns `CELL_COLUMNS`.

    `at_start` gives the newest snapshot of each cell when the run began. If another snapshot was
    published after that, the listings of that snapshot stay (`is_listed` is false). The same holds
    for a snapshot of a run in `later`, also if this run was resumed after that. In a cell with
    `is_baseline`, nothing is reported as new. Forbidden views and segments of a country are
    recorded once, in the scope of the catalog's cell of that country. They do not narrow the scope,
    because they were never listed.
    """
    rows = []
    failed = Counter(cell for cell, _ in placed(found))
    touched = unlisted(found)
    never_listed = {c for c, _, _, name in found.known.unlisted if not name}
    unread = {c.customer.customer_id for c in found.customers if c.failed}
    for cell, status in sorted(_statuses(found, counts, failed).items()):
        before = previous.get(cell)
        status = later.status(cell, status, before)  # noqa: PLW2901 - the one that is published
        tally = counts.get(cell, Counts())
        is_first = before is None or before.status == "left" or cell.customer_id in never_listed
        is_widened = before is not None and not covers(json.loads(before.scope or "{}"), scope)
        is_unchanged = at_start.get(cell, "") == (before.snapshot_id if before else "")
        is_listed = is_unchanged and cell not in later.began
        rows.append(
            (
                cell.customer_id,
                cell.country,
                status,
                json.dumps(
                    {**scope, **_forbidden(found, cell), **_ended(found, cell)}, sort_keys=True
                ),
                tally.answered,
                tally.failed,
                tally.skipped,
                tally.not_eligible,
                failed[cell],
                int(not cell.country and cell.customer_id in touched),
                before.snapshot_id if before else "",
                is_first or is_widened,
                is_listed and cell.customer_id not in unread,
            )
        )
    return table_of(CELL_COLUMNS, rows)


def _forbidden(found: Found, cell: Cell) -> dict[str, object]:
    """Return the forbidden views and segments, if this is the catalog's cell of a country."""
    forbidden = [
        {
            "reservation_scope": listing.reservation_scope,
            "view": listing.view,
            "segment": listing.segment,
            "error_code": listing.error_code,
            "request_id": listing.request_id,
            "correlation_id": listing.correlation_id,
        }
        for catalog in found.catalogs
        for listing in catalog.forbidden
        if (cell.customer_id, cell.country) == ("", catalog.country)
    ]
    return {"forbidden": forbidden} if forbidden else {}


def _ended(found: Found, cell: Cell) -> dict[str, object]:
    """Return after how many customers the customer list broke off, if this is that list's cell."""
    is_list = not cell.customer_id and not cell.country
    return {"ended_after": found.list_ended_after} if is_list and found.list_ended_after else {}


def _statuses(
    found: Found, counts: Mapping[Cell, Counts], failed: Counter[Cell]
) -> dict[Cell, str]:
    known: dict[str, set[Cell]] = {}
    for cell in found.known.cells:
        known.setdefault(cell.customer_id, set()).add(cell)
    statuses: dict[Cell, str] = {}
    for customer in found.customers:
        before = known.get(customer.customer.customer_id, set())
        statuses |= _customer_statuses(customer, before, found, counts, failed)
    if found.covers_catalog:
        for catalog in found.catalogs:
            cell = cell_of(found, "", catalog.country)
            worst = [statuses.get(cell, "covered"), _status(cell, counts), _catalog_status(catalog)]
            statuses[cell] = max(worst, key=("covered", "partly", "failed").index)
    the_list = cell_of(found, "", "")
    if failed[the_list]:
        statuses[the_list] = "partly"
    elif the_list in found.known.cells and found.covers_catalog:
        statuses[the_list] = "covered"  # an earlier run's failed listing was answered now
    return statuses


def _status(cell: Cell, counts: Mapping[Cell, Counts], *, is_listed: bool = True) -> str:
    tally = counts.get(cell, Counts())
    if tally.failed + tally.skipped == 0 and is_listed:
        return "covered"
    return "partly" if tally.answered else "failed"


def _customer_statuses(
    customer: CustomerFound,
    before: set[Cell],
    found: Found,
    counts: Mapping[Cell, Counts],
    failed: Counter[Cell],
) -> dict[Cell, str]:
    """Return the status of each cell of a customer; `before` are its known cells."""
    if customer.left:
        return dict.fromkeys(before, "left")
    customer_id = customer.customer.customer_id
    now = {cell_of(found, customer_id, country) for country in ("", *customer.countries)}
    is_listed = not failed[cell_of(found, customer_id, "")]
    statuses = {
        cell: "failed"
        if customer.failed
        else _status(cell, counts, is_listed=is_listed and not failed[cell])
        for cell in now
    }
    if customer.ineligible:
        statuses |= dict.fromkeys(before - now, "covered")
    elif found.covers_all_countries and not customer.failed:
        statuses |= dict.fromkeys(before - now, "left")  # the billing country has changed
    return statuses


def _catalog_status(catalog: CatalogFound) -> str:
    if not catalog.failed:
        return "covered"
    return "partly" if catalog.answered else "failed"
