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
    """It left with its product, and only the product counts as a change."""


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
    """Listed, or confirmed by id: in this run, or in a listing that is not due."""
    carried: tuple[Sku, ...] = ()
    """Known before, and their listing failed or was not asked."""
    views: dict[str, str] = {}
    """Target view of each listed product, '' if only `scope.products` names it."""
    answered: frozenset[str] = frozenset()
    """Products whose SKU list was answered in this run, or before and is not due."""
    listed: dict[tuple[str, str], RememberedListing] = {}
    """Wholly answered in this run: ('view:NAME', ''), the SKU list (product, ''), or a SKU."""
    cached: frozenset[tuple[str, str]] = frozenset()
    """SKUs from listings that are not due."""
    failed: frozenset[str] = frozenset()
    """Products whose SKU list or product list failed; '' stands for a failed product list without
    known products."""
    gone: tuple[Gone, ...] = ()
    still_gone: Mapping[tuple[str, str], datetime | None] = {}
    """SKUs that left in an earlier run, and that an answered listing or a 404 by id proves to be
    gone still. The time is that of a listing that is not due; None: answered in this run."""
    new: frozenset[tuple[str, str]] = frozenset()
    """SKUs that an answered listing names for the first time."""
    unlisted: frozenset[str] = frozenset()
    """Listings ('view:NAME' or a product id) that were never answered so far."""
    named: frozenset[tuple[str, str]] = frozenset()
    """The names in `scope.products`: asked whatever their prerequisites."""
    learned: Mapping[str, tuple[str, ...]] = {}
    """By product: inventory variables that checks need and the catalog does not name."""
    forbidden: tuple[ForbiddenListing, ...] = ()
    """One for each view and segment, however many SKU lists were refused."""


class CustomerFound(msgspec.Struct, frozen=True, kw_only=True):
    """One customer, as discovery found it."""

    customer: Customer
    countries: tuple[str, ...] = ()
    """The countries of its checks."""
    ineligible: str = ""
    """Why its checks are not eligible; '' if they are."""
    failed: str = ""
    """Why its listing failed, so that its checks are skipped; '' if it did not."""
    left: bool = False
    azure_subscriptions: tuple[AzureSubscription, ...] = ()
    commerce_subscriptions: tuple[CommerceSubscription, ...] = ()
    carried: frozenset[str] = frozenset()
    """Azure subscriptions known before, whose listing failed: they are not asked about."""
    ended: frozenset[str] = frozenset()
    """Azure subscriptions that are gone: two replies lack them."""
    unheld: frozenset[tuple[str, str]] = frozenset()
    """(product, SKU) of licences held before and not now."""
    new: frozenset[str] = frozenset()
    """Azure subscriptions that an answered listing names for the first time."""
    unlisted: frozenset[str] = frozenset()
    """Listings ('' for the subscriptions, else a plan) that were never answered so far."""
    listed: RememberedListing | None = None
    """What to remember of the customer's listing; None if some part of it got no answer in this
    run, a registration for example."""
    is_cached: bool = False
    """Its listing is not due and was not asked."""
    is_country_read: bool = False
    """Its billing country was read in this run."""


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
