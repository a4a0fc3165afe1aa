"""Assigns failed listings to cells, and counts the customers that they leave unknown."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from auditor.model import Cell, FailedListing
from auditor.scope.found import Found


class Tally(Protocol):
    """The number of checks of each outcome."""

    answered: int
    failed: int
    skipped: int


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """The things that make a snapshot incomplete."""

    list_ended_after: int | None
    """See `Found.list_ended_after`."""
    customers: float
    """The share of customers that are unknown: see `unknown_share`."""
    checks: float
    """The share of checks that failed or were skipped, or the share of their keys: the larger."""

    def why_incomplete(self, most: float) -> str:
        """Return text that says why the snapshot is incomplete; '' if it is complete."""
        why = []
        if self.list_ended_after is not None:
            why.append(f"the customer list ended after {self.list_ended_after}")
        if self.customers > most:
            why.append(f"{self.customers:.1%} of the customers are unknown")
        if self.checks > most:
            why.append(f"{self.checks:.1%} of the checks have no answer")
        return "; ".join(why)


def cell_of(found: Found, customer_id: str, country: str) -> Cell:
    """Return a cell of the run's partner."""
    return Cell(
        partner_tenant_id=found.known.partner_tenant_id, customer_id=customer_id, country=country
    )


def placed(found: Found) -> Iterator[tuple[Cell, FailedListing]]:
    """Yield each failed listing with the cell that it belongs to.

    A run over some customers does not cover the catalog's cells. In such a run, a failed listing of
    a country's catalog is yielded for each of these customers, with the customer's cell.
    """
    customers = {c.customer.customer_id for c in found.customers if not c.left}
    for listing in found.failed_listings:
        if listing.customer_id or not listing.country:
            of = listing.customer_id if listing.customer_id in customers else ""
            yield cell_of(found, of, ""), listing
        elif found.covers_catalog:
            yield cell_of(found, "", listing.country), listing
        else:
            for each in found.customers:
                if listing.country in each.countries and not each.left:
                    yield cell_of(found, each.customer.customer_id, listing.country), listing


def unlisted(found: Found) -> frozenset[str]:
    """Return the customers whose own listings did not all get a usable answer."""
    noted = {listing.customer_id for listing in found.failed_listings if listing.customer_id}
    return frozenset(
        c.customer.customer_id
        for c in found.customers
        if not c.left and (c.failed or c.customer.customer_id in noted)
    )


def unknown_share(found: Found, counts: Mapping[Cell, Tally]) -> float:
    """Return the share of customers that count as unknown.

    A customer is unknown if it could not be listed whole, if its checks have no answer at all, or
    if a product list of one of its countries failed.
    """
    answered: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for cell, tally in counts.items():
        answered[cell.customer_id] += tally.answered
        missing[cell.customer_id] += tally.failed + tally.skipped
    countries = {each.country for each in found.failed_listings if each.listing == "products"}
    touched = unlisted(found)
    here = [c for c in found.customers if not c.left]
    unknown = [
        c
        for c in here
        if c.customer.customer_id in touched
        or countries.intersection(c.countries)
        or (missing[c.customer.customer_id] and not answered[c.customer.customer_id])
    ]
    return len(unknown) / len(here) if here else 0.0
