"""Which cells a snapshot covers, how well, and what was published of them before."""

import json
from collections.abc import Mapping

import msgspec
import pyarrow as pa

from auditor.model import Cell, Outcome
from auditor.normalize.settled import table_of
from auditor.scope.found import CatalogFound, CustomerFound, Found
from auditor.scope.known import Previous

_TEXT = pa.string()


class Counts(msgspec.Struct, kw_only=True):
    """How many checks of a cell, or of a run, came to what."""

    answered: int = 0
    failed: int = 0
    skipped: int = 0
    not_eligible: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count one check."""
        setattr(self, outcome.value, getattr(self, outcome.value) + 1)

    @property
    def failed_share(self) -> float:
        """The share of unanswered checks among those that should have been."""
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
) -> pa.Table:
    """Return the cells the snapshot covers, as `CELL_COLUMNS`.

    `at_start` names the snapshot of each cell when the run began: where another was published
    since, what that one listed stays. `is_baseline` cells report nothing as new. What is forbidden
    in a country is said once, in its catalog's cell, and narrows no scope: it was never listed.
    """
    rows = []
    never_listed = {c for c, _, _, name in found.known.unlisted if not name}
    unread = {c.customer.customer_id for c in found.customers if c.failed}
    for cell, status in sorted(_statuses(found, counts).items()):
        before = previous.get(cell)
        tally = counts.get(cell, Counts())
        is_first = before is None or before.status == "left" or cell.customer_id in never_listed
        is_widened = before is not None and not _covers(json.loads(before.scope or "{}"), scope)
        is_current = at_start.get(cell, "") == (before.snapshot_id if before else "")
        rows.append(
            (
                cell.customer_id,
                cell.country,
                status,
                json.dumps({**scope, **_forbidden(found, cell)}, sort_keys=True),
                tally.answered,
                tally.failed,
                tally.skipped,
                tally.not_eligible,
                before.snapshot_id if before else "",
                is_first or is_widened,
                is_current and cell.customer_id not in unread,
            )
        )
    return table_of(CELL_COLUMNS, rows)


def _forbidden(found: Found, cell: Cell) -> dict[str, object]:
    """Return the views and segments of a catalog's cell that Partner Center does not show us."""
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


def _statuses(found: Found, counts: Mapping[Cell, Counts]) -> dict[Cell, str]:
    held: dict[str, set[Cell]] = {}
    for cell in found.known.cells:
        held.setdefault(cell.customer_id, set()).add(cell)
    statuses: dict[Cell, str] = {}
    for customer in found.customers:
        before = held.get(customer.customer.customer_id, set())
        statuses |= _of_customer(customer, before, found, counts)
    if found.covers_catalog:
        for catalog in found.catalogs:
            cell = _cell(found, "", catalog.country)
            worst = [statuses.get(cell, "covered"), _of(cell, counts), _catalog_status(catalog)]
            statuses[cell] = max(worst, key=("covered", "partly", "failed").index)
    return statuses


def _cell(found: Found, customer_id: str, country: str) -> Cell:
    return Cell(
        partner_tenant_id=found.known.partner_tenant_id, customer_id=customer_id, country=country
    )


def _of(cell: Cell, counts: Mapping[Cell, Counts]) -> str:
    tally = counts.get(cell, Counts())
    if tally.failed + tally.skipped == 0:
        return "covered"
    return "partly" if tally.answered else "failed"


def _of_customer(
    customer: CustomerFound, before: set[Cell], found: Found, counts: Mapping[Cell, Counts]
) -> dict[Cell, str]:
    """Return the status of each cell of a customer; `before` are those that hold something."""
    if customer.left:
        return dict.fromkeys(before, "left")
    customer_id = customer.customer.customer_id
    now = {_cell(found, customer_id, country) for country in ("", *customer.countries)}
    statuses = {cell: "failed" if customer.failed else _of(cell, counts) for cell in now}
    if customer.ineligible:
        statuses |= dict.fromkeys(before - now, "covered")
    elif found.covers_all_countries and not customer.failed:
        statuses |= dict.fromkeys(before - now, "left")  # its billing country is another now
    return statuses


def _catalog_status(catalog: CatalogFound) -> str:
    if not catalog.failed:
        return "covered"
    return "partly" if catalog.answered else "failed"


def _covers(before: Mapping[str, object], now: Mapping[str, object]) -> bool:
    """Tell whether a scope was as wide as the present one: every list holds every item."""
    for name, wanted in now.items():
        had = before.get(name)
        if had in (wanted, "all"):
            continue
        if not (isinstance(had, list) and isinstance(wanted, list) and set(wanted) <= set(had)):
            return False
    return True
