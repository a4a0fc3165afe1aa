"""The results of discovery: customers and catalog."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from auditor.model import (
    AzureSubscription,
    CommerceSubscription,
    Customer,
    FailedListing,
    RememberedListing,
    Sku,
)
from auditor.scope.known import Known


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """A product (`sku_id` '') or SKU that got a 404 when it was asked for by id."""

    country: str
    reservation_scope: str
    product_id: str
    sku_id: str
    at: datetime
    with_product: bool = False
    """True for a SKU that left with its product: only the product makes a change."""


class ForbiddenListing(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A target view that Partner Center does not show this partner, in one segment."""

    country: str
    reservation_scope: str
    view: str
    segment: str
    error_code: str
    request_id: str
    correlation_id: str


class CatalogFound(msgspec.Struct, frozen=True, kw_only=True):
    """The catalog of one country and reservation scope, as discovery found it."""

    country: str
    reservation_scope: str
    skus: tuple[Sku, ...] = ()
    """SKUs that are in the catalog: a listing or a reply by id says so, of this run or cached."""
    carried: tuple[Sku, ...] = ()
    """SKUs that were known before and whose listing failed or was not asked."""
    views: dict[str, str] = {}
    """Target view of each listed product, '' if only `scope.products` names it."""
    answered: frozenset[str] = frozenset()
    """Products whose SKU list was answered in this run, or is cached."""
    listed: dict[tuple[str, str], RememberedListing] = {}
    """Listings that were wholly answered in this run. Keys: ('view:NAME', '') for a product list,
    (product, '') for a SKU list, (product, SKU) for a SKU by id."""
    cached: frozenset[tuple[str, str]] = frozenset()
    """SKUs from cached listings."""
    failed: frozenset[str] = frozenset()
    """Products whose SKU list or product list failed. If no product of a failed product list is
    known, '' stands for the list."""
    gone: tuple[Gone, ...] = ()
    still_gone: Mapping[tuple[str, str], datetime | None] = {}
    """SKUs that left in an earlier run, and that an answered listing or a 404 by id proves to be
    gone still. The value is when a cached listing proved it; None: this run proved it."""
    new: frozenset[tuple[str, str]] = frozenset()
    """SKUs that an answered listing names for the first time."""
    unlisted: frozenset[str] = frozenset()
    """Listings ('view:NAME' or a product id) that have never been answered."""
    named: frozenset[tuple[str, str]] = frozenset()
    """The products and SKUs in `scope.products`. They are checked whatever their prerequisites."""
    learned: Mapping[str, tuple[str, ...]] = {}
    """By product: inventory variables that its checks need and the catalog does not name."""
    forbidden: tuple[ForbiddenListing, ...] = ()
    """The forbidden views: one item for each view and segment, however often it was refused."""


class CustomerFound(msgspec.Struct, frozen=True, kw_only=True):
    """One customer, as discovery found it."""

    customer: Customer
    countries: tuple[str, ...] = ()
    """The countries for which the customer is checked."""
    ineligible: str = ""
    """The reason if the customer's checks are `not_eligible`, else ''."""
    failed: str = ""
    """The reason if the customer's listing failed and its checks are skipped, else ''."""
    left: bool = False
    azure_subscriptions: tuple[AzureSubscription, ...] = ()
    commerce_subscriptions: tuple[CommerceSubscription, ...] = ()
    carried: frozenset[str] = frozenset()
    """Azure subscriptions that were known before and whose listing failed: they get no checks."""
    ended: frozenset[str] = frozenset()
    """Azure subscriptions that are gone, because two replies did not contain them."""
    unheld: frozenset[tuple[str, str]] = frozenset()
    """(product, SKU) of each licence that the customer held before and does not hold now."""
    new: frozenset[str] = frozenset()
    """Azure subscriptions that an answered listing names for the first time."""
    unlisted: frozenset[str] = frozenset()
    """Listings that have never been answered: '' for the subscriptions, else a plan's id."""
    listed: RememberedListing | None = None
    """The facts to remember of the customer's listing. None if a part of the listing, such as a
    registration, got no answer in this run."""
    is_cached: bool = False
    """True if the customer's listing was not due, so it was not asked."""
    is_country_read: bool = False
    """True if the customer's billing country was read in this run."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The results of wave 1 of one partner's run."""

    known: Known
    customers: tuple[CustomerFound, ...]
    catalogs: tuple[CatalogFound, ...]
    covers_catalog: bool
    """Whether the run covers all customers, so that it may report catalog changes."""
    covers_all_countries: bool
    started_at: datetime
    list_ended_after: int | None = None
    """How many customers the list named before it failed; None if it was read to its end."""
    failed_listings: tuple[FailedListing, ...] = ()
