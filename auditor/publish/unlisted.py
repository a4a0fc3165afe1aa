"""Where failed listings belong in a snapshot, and how many customers they leave unknown."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from auditor.model import Cell, FailedListing
from auditor.scope.found import Found


class Tally(Protocol):
    """Numbers of checks by outcome."""

    answered: int
    failed: int
    skipped: int


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """How much a run does not know."""

    list_ended_after: int | None
    """As in `Found`."""
    customers: float
    """The share of customers: see `unknown_share`."""
    checks: float
    """The share of failed and skipped checks or, if it is larger, of their keys."""

    def why_incomplete(self, most: float) -> str:
        """Return what makes the snapshot incomplete, for people; '' if it is complete."""
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
    """Yield each failed listing with the cell that it is a part of.

    A run over some customers does not cover the catalog's cells: there a failed listing of the
    catalog belongs to each of these customers, in its country.
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
    """Return the customers that could not be listed whole."""
    noted = {listing.customer_id for listing in found.failed_listings if listing.customer_id}
    return frozenset(
        c.customer.customer_id
        for c in found.customers
        if not c.left and (c.failed or c.customer.customer_id in noted)
    )


def unknown_share(found: Found, counts: Mapping[Cell, Tally]) -> float:
    """Return the share of customers that could not be listed whole or have no answer at all.

    Where a list of products failed, that is every customer of its country.
    """
    answered: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for cell, tally in counts.items():
        answered[cell.customer_id] += tally.answered
        missing[cell.customer_id] += tally.failed + tally.skipped
    countries = {each.country for each in found.failed_listings if each.listing == "list_products"}
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
