"""Holds what the store knew about one partner when a run began; discovery needs it."""

from datetime import datetime

import msgspec

from auditor.model import (
    AzureSubscription,
    Cell,
    CommerceSubscription,
    Customer,
    RememberedListing,
    Sku,
)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known about one partner; empty before its first snapshot.

    If a listing lacks a known item, that item is asked for by id before it is dropped.
    """

    partner_tenant_id: str
    cells: frozenset[Cell] = frozenset()
    """The cells that were covered before and have not left."""
    customers: dict[str, Customer] = {}
    azure_subscriptions: dict[str, dict[str, AzureSubscription]] = {}
    """The known Azure subscriptions, by customer, then by id."""
    commerce_subscriptions: dict[str, dict[str, CommerceSubscription]] = {}
    """The known commerce subscriptions, by customer, then by id."""
    skus: dict[tuple[str, str], dict[tuple[str, str], Sku]] = {}
    """The known SKUs, by country and reservation scope, then by product and SKU."""
    views: dict[tuple[str, str], dict[str, str]] = {}
    """Target view of each known product, by country and reservation scope."""
    gone: dict[tuple[str, str, str, str], datetime] = {}
    """Items that left the catalog, with the time at which that was found: (country, reservation
    scope, product, SKU)."""
    returned: dict[tuple[str, str, str, str], datetime] = {}
    """Items that left the catalog and came back, with the time at which they had left."""
    returned_at: dict[tuple[str, str, str, str], datetime] = {}
    """The same items, with the time at which they came back; an older store does not have it."""
    left_subscriptions: frozenset[tuple[str, str]] = frozenset()
    """(customer, Azure subscription) that left: if it returns, that is a baseline."""
    unlisted: frozenset[tuple[str, str, str, str]] = frozenset()
    """(customer, country, reservation scope, listing) of each listing that was never answered."""
    customers_listed: dict[str, datetime] = {}
    """By customer: when all its listings were last answered."""
    countries_read: dict[str, datetime] = {}
    """By customer: when its billing country was last read."""
    catalog_listed: dict[
        tuple[str, str], dict[tuple[str, str], tuple[datetime, RememberedListing]]
    ] = {}
    """When each catalog listing was answered, and its facts. By country and reservation scope, then
    by a key as in `CatalogFound.listed`."""

    learned: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {}
    """Learned inventory variables, by country and reservation scope, then by product."""
    is_route_gone: bool = False
    """True if checkInventory said that it is gone, and the newer API has answered instead."""

    def holds(self, customer_id: str, country: str) -> bool:
        """Tell whether a cell was covered before, so that a new key in it makes a change."""
        cell = Cell(
            partner_tenant_id=self.partner_tenant_id, customer_id=customer_id, country=country
        )
        return cell in self.cells

    def country_of(self, customer_id: str) -> str:
        """Return a customer's billing country as last read, '' if it never was."""
        known = self.customers.get(customer_id)
        return known.country if known else ""


class Previous(msgspec.Struct, frozen=True, kw_only=True):
    """The newest published snapshot of a cell, at the time of reading."""

    snapshot_id: str
    status: str
    scope: str


class AtStart(msgspec.Struct, frozen=True, kw_only=True):
    """What the store held about one partner when a run began."""

    cells: dict[Cell, Previous]
    known: Known
