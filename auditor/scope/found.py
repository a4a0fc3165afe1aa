"""What discovery found of customers and of the catalog."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from auditor.model import AzureSubscription, CommerceSubscription, Customer, Listed, Sku
from auditor.scope.known import Known


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """A product (`sku_id` '') or SKU that Partner Center, asked by id, says does not exist."""

    country: str
    reservation_scope: str
    product_id: str
    sku_id: str
    at: datetime
    with_product: bool = False
    """It left with its product, which is the change that counts."""


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
    """What discovery learned of the catalog of one country and reservation scope."""

    country: str
    reservation_scope: str
    skus: tuple[Sku, ...] = ()
    """Listed, or confirmed by id: now, or in a listing that is not due."""
    carried: tuple[Sku, ...] = ()
    """Known from before, under a listing that failed or was not asked."""
    views: dict[str, str] = {}
    """Target view of each listed product, '' where only `scope.products` names it."""
    answered: frozenset[str] = frozenset()
    """Products whose SKU list was answered: now, or before and is not due."""
    listed: dict[tuple[str, str], Listed] = {}
    """What was wholly answered now: ('view:NAME', ''), the SKU list (product, ''), or a SKU."""
    cached: frozenset[tuple[str, str]] = frozenset()
    """SKUs as a listing had them that is not due."""
    failed: frozenset[str] = frozenset()
    """Products whose SKU list, or whose product list, was asked for and failed; '' stands for a
    product list of which nothing is known."""
    gone: tuple[Gone, ...] = ()
    new: frozenset[tuple[str, str]] = frozenset()
    """SKUs that an answered listing names for the first time."""
    unlisted: frozenset[str] = frozenset()
    """Listings ('view:NAME' or a product id) that were never answered so far."""
    named: frozenset[tuple[str, str]] = frozenset()
    """What `scope.products` names here: asked whatever its prerequisites say."""
    learned: Mapping[str, tuple[str, ...]] = {}
    """Inventory variables that checks of a product demanded and the catalog does not name."""
    forbidden: tuple[ForbiddenListing, ...] = ()
    """What was passed over: once for each view and segment, however many lists of SKUs it cost."""


class CustomerFound(msgspec.Struct, frozen=True, kw_only=True):
    """What discovery learned of one customer."""

    customer: Customer
    countries: tuple[str, ...] = ()
    """Where it is asked about."""
    ineligible: str = ""
    """Why nothing is asked about it, if so."""
    failed: str = ""
    """Why its listing could not be read, if so: its checks are skipped."""
    left: bool = False
    azure_subscriptions: tuple[AzureSubscription, ...] = ()
    commerce_subscriptions: tuple[CommerceSubscription, ...] = ()
    carried: frozenset[str] = frozenset()
    """Azure subscriptions known from before, under a listing that failed: not asked about."""
    ended: frozenset[str] = frozenset()
    """Azure subscriptions that are gone, told twice."""
    unheld: frozenset[tuple[str, str]] = frozenset()
    """(product, SKU) of licences held before and not now."""
    new: frozenset[str] = frozenset()
    """Azure subscriptions that an answered listing names for the first time."""
    unlisted: frozenset[str] = frozenset()
    """Listings ('' for the subscriptions, else a plan) that were never answered so far."""
    listed: Listed | None = None
    """What its listing said if all of it was answered now, registrations too; else None."""
    is_cached: bool = False
    """It is as its listing had it, which is not due."""
    is_country_read: bool = False
    """Its billing country was read now."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that wave 1 of one partner's run found."""

    known: Known
    customers: tuple[CustomerFound, ...]
    catalogs: tuple[CatalogFound, ...]
    covers_catalog: bool
    """Whether it looks at all customers, so that it may speak for the catalog."""
    covers_all_countries: bool
    started_at: datetime
