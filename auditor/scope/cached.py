"""Returns the last answers of listings that are not due, without asking them. Pure.

A remembered answer is used only if the configuration would ask exactly the same listing now. It
proves neither that something is new nor that something has left.
"""

from collections.abc import Iterable
from datetime import datetime

from auditor.model import Customer, RememberedListing, Sku
from auditor.scope.due import Due
from auditor.scope.found import CustomerFound
from auditor.scope.known import Known
from auditor.scope.offers import AZURE_PLAN, is_active


def country(known: Known, customer_id: str, due: Due) -> Customer | None:
    """Return the known customer if its billing country is known and not due, else None."""
    customer = known.customers.get(customer_id)
    if customer is None or not customer.country:
        return None
    read_at = known.countries_read.get(customer_id)
    return None if due.is_due(customer_id, read_at) else customer


def subscriptions(
    known: Known,
    customer: Customer,
    countries: tuple[str, ...],
    due: Due,
    *,
    check_registration: bool,
) -> CustomerFound | None:
    """Return a customer's subscriptions if they are not due, else None."""
    customer_id = customer.customer_id
    listed_at = known.customers_listed.get(customer_id)
    never_answered = (customer_id, "", "", "") in known.unlisted
    if never_answered or due.is_due(customer_id, listed_at):
        return None
    azure = known.azure_subscriptions.get(customer_id, {})
    commerce = known.commerce_subscriptions.get(customer_id, {})
    if check_registration:
        plans = {name for name, held in commerce.items() if held.product_id == AZURE_PLAN}
        unread = {s.plan_id for s in azure.values() if not s.registration_status} & plans
        if any(is_active(commerce[name].status) for name in unread):
            return None  # the remembered listing did not read registrations
    return CustomerFound(
        customer=customer,
        countries=countries,
        azure_subscriptions=tuple(azure.values()),
        commerce_subscriptions=tuple(commerce.values()),
        is_cached=True,
    )


class CatalogAsListed:
    """The remembered listings of one country and reservation scope."""

    def __init__(
        self,
        known: Known,
        where: tuple[str, str],
        due: Due,
        *,
        segments: Iterable[str],
        target_views: tuple[str, ...],
    ) -> None:
        self._where = where
        self._listed = known.catalog_listed.get(where, {})
        self._due = due.among("/".join((*where, *name)) for name in self._listed)
        self._views = known.views.get(where, {})
        self._skus = known.skus.get(where, {})
        self._never_answered = {name for _, c, r, name in known.unlisted if (c, r) == where}
        self._titles = {s.product_id: s.product_title for s in self._skus.values()}
        self.of_skus = RememberedListing(segments=tuple(sorted(segments)))
        """The parameters of a SKU list."""
        self.of_view = RememberedListing(segments=self.of_skus.segments, views=target_views)
        """The parameters of a product list. All views count: a product belongs to the first view
        that names it."""

    def products(self, view: str) -> dict[str, str] | None:
        """Return product ids and titles of a target view if its list is not due, else None.

        Titles are stored with SKUs, so the list is also due if one of its products has no SKU.
        """
        if self._is_due(f"view:{view}", "", self.of_view):
            return None
        found = [product_id for product_id, of in self._views.items() if of == view]
        if not self._titles.keys() >= set(found):
            return None
        return {product_id: self._titles[product_id] for product_id in found}

    def named(self, product_id: str, sku_ids: Iterable[str]) -> str | None:
        """Return the title of a product outside the views if none of these SKUs is due, else None.

        A SKU id of '' stands for all SKUs. If this returns None, the product is asked for by id.
        """
        title = self._titles.get(product_id)
        if title is None or product_id not in self._views:
            return None
        fresh = all(
            self.skus(product_id) is not None if not sku_id else self.sku(product_id, sku_id)
            for sku_id in sku_ids
        )
        return title if fresh else None

    def skus(self, product_id: str) -> tuple[Sku, ...] | None:
        """Return a product's SKUs if its list is not due, else None."""
        if product_id not in self._views or self._is_due(product_id, "", self.of_skus):
            return None
        return tuple(sku for sku in self._skus.values() if sku.product_id == product_id)

    def sku(self, product_id: str, sku_id: str) -> Sku | None:
        """Return a SKU that was asked for by id if it is not due, else None."""
        if self._is_due(product_id, sku_id, self.of_skus):
            return None
        return self._skus.get((product_id, sku_id))

    def skus_answered_at(self, product_id: str) -> datetime | None:
        """Return when a product's SKU list was answered; None if the list is due."""
        if self.skus(product_id) is None:
            return None
        return self._listed[product_id, ""][0]

    def views_answered_at(self) -> datetime | None:
        """Return the oldest answer time of the product lists that are not due; None if all are."""
        not_due = (view for view in self.of_view.views if self.products(view) is not None)
        return min((self._listed[f"view:{view}", ""][0] for view in not_due), default=None)

    def _is_due(self, listing: str, sku_id: str, wanted: RememberedListing) -> bool:
        if (listing, sku_id) not in self._listed or listing in self._never_answered:
            return True
        listed_at, before = self._listed[listing, sku_id]
        if (before.segments, before.views) != (wanted.segments, wanted.views):
            return True
        return self._due.is_due("/".join((*self._where, listing, sku_id)), listed_at)
