"""What the store knew about one partner when its run began; discovery compares listings with it."""

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

    What a listing lacks of this is asked for again before it is dropped.
    """

    partner_tenant_id: str
    cells: frozenset[Cell] = frozenset()
    """The cells that hold something: covered before, and not left."""
    customers: dict[str, Customer] = {}
    azure_subscriptions: dict[str, dict[str, AzureSubscription]] = {}
    """By customer, then by Azure subscription."""
    commerce_subscriptions: dict[str, dict[str, CommerceSubscription]] = {}
    """By customer, then by commerce subscription."""
    skus: dict[tuple[str, str], dict[tuple[str, str], Sku]] = {}
    """By country and reservation scope, then by product and SKU."""
    views: dict[tuple[str, str], dict[str, str]] = {}
    """Target view of each known product, by country and reservation scope."""
    gone: dict[tuple[str, str, str, str], datetime] = {}
    """When each (country, reservation scope, product, SKU) was found to have left the catalog."""
    returned: dict[tuple[str, str, str, str], datetime] = {}
    """When each of these that is listed again had left."""
    returned_at: dict[tuple[str, str, str, str], datetime] = {}
    """When each of these was listed again; an older store does not say."""
    left_subscriptions: frozenset[tuple[str, str]] = frozenset()
    """(customer, Azure subscription) that left: a return is a new baseline."""
    unlisted: frozenset[tuple[str, str, str, str]] = frozenset()
    """(customer, country, reservation scope, listing) that was asked for and never answered."""
    customers_listed: dict[str, datetime] = {}
    """When all listings of a customer were answered."""
    countries_read: dict[str, datetime] = {}
    """When a customer's billing country was read."""
    catalog_listed: dict[
        tuple[str, str], dict[tuple[str, str], tuple[datetime, RememberedListing]]
    ] = {}
    """When listings were answered, and their facts, by country and reservation scope, then by name
    as in `CatalogFound.listed`."""

    learned: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {}
    """Learned inventory variables, by country and reservation scope, then by product."""
    is_route_gone: bool = False
    """Whether checkInventory has said that it is gone, and the newer API has answered instead."""

    def holds(self, customer_id: str, country: str) -> bool:
        """Tell whether a cell has a baseline, so that an addition to it is a change."""
        cell = Cell(
            partner_tenant_id=self.partner_tenant_id, customer_id=customer_id, country=country
        )
        return cell in self.cells

    def country_of(self, customer_id: str) -> str:
        """Return a customer's billing country as last read, '' if it never was."""
        known = self.customers.get(customer_id)
        return known.country if known else ""


class Previous(msgspec.Struct, frozen=True, kw_only=True):
    """The published state of a cell at the moment of publishing."""

    snapshot_id: str
    status: str
    scope: str
