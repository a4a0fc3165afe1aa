"""Discover products and SKUs of one country and reservation scope: the other half of wave 1.

A product or SKU that an answered listing no longer names is asked for by id: only a 404 takes it
out of the catalog (docs/contract.md). What is shown to customers only, such as Azure savings
plans, is looked at through the eyes of some.
"""

from collections.abc import Container, Iterable
from datetime import datetime

import msgspec

from auditor.concurrency import fan_out
from auditor.errors import Does, NotFound, PartnerCenterError, Unauthorized
from auditor.model import Listed, Sku
from auditor.partner_center import wire
from auditor.partner_center.client import PartnerCenter
from auditor.scope.buyers import Buyers
from auditor.scope.cached import CatalogAsListed
from auditor.scope.due import EVERY_RUN, Due
from auditor.scope.found import CatalogFound, ForbiddenListing, Gone
from auditor.scope.known import Known
from auditor.scope.sku_lists import Product, SkuLists, Skus, departure


class CatalogRules(msgspec.Struct, frozen=True, kw_only=True):
    """What of the configuration decides which part of the catalog is looked at."""

    target_views: tuple[str, ...]
    segments: tuple[str, ...]
    products: tuple[str, ...] = ()
    """Product ids, or a SKU as PRODUCT:SKU."""
    also_listed: tuple[str, ...] = ()
    """Products whose SKUs are listed though no inventory check is asked for them."""
    due: Due = EVERY_RUN


class CatalogDiscovery:
    """Finds out what is in the catalog of one country and reservation scope."""

    def __init__(  # the country and scope are the question
        self,
        api: PartnerCenter,
        known: Known,
        rules: CatalogRules,
        *,
        country: str,
        reservation_scope: str,
        at_once: int,
        buyers: Buyers,
    ) -> None:
        self._api = api
        self._rules = rules
        self._partner_tenant_id = known.partner_tenant_id
        self._country = country
        self._scope = reservation_scope
        self._at_once = at_once
        self._buyers = buyers
        self._is_known = known.holds("", country)
        where = self._where = (country, reservation_scope)
        self._known_skus = known.skus.get(where, {})
        self._known_views = known.views.get(where, {})
        self._known_learned = known.learned.get(where, {})
        self._known_gone = {(p, s) for c, r, p, s in known.gone if (c, r) == where}
        self._unlisted_before = {name for _, c, r, name in known.unlisted if (c, r) == where}
        self._forbidden: dict[tuple[str, str], ForbiddenListing] = {}
        self._named = frozenset(
            (product_id, sku_id)
            for product_id, _, sku_id in (name.partition(":") for name in rules.products)
        )
        self._as_listed = CatalogAsListed(
            known,
            where,
            rules.due,
            segments=rules.segments,
            target_views=rules.target_views,
        )
        self._sku_lists = SkuLists(
            api,
            known,
            self._as_listed,
            where=where,
            segments=rules.segments,
            buyers=buyers,
            pass_over=self._pass_over,
        )
        self._views_listed: dict[tuple[str, str], Listed] = {}

    async def find(self) -> CatalogFound:
        """Return the catalog as far as it can be told, and what has left it.

        Raises:
            Unauthorized: the product list itself is refused, so the partner is out.
        """
        products: dict[str, Product] = {}
        failed_views: set[str] = set()
        forbidden_views: set[str] = set()
        for view in self._rules.target_views:
            as_listed = self._as_listed.products(view)
            if as_listed is None:
                await self._list_view(view, products, failed_views, forbidden_views)
            for product_id, title in (as_listed or {}).items():
                products.setdefault(product_id, _cached(product_id, title, view))
        self._add_named(products)
        gone: list[Gone] = []
        failed = {
            product_id
            for product_id, view in self._known_views.items()
            if view in failed_views and product_id not in products
        }
        unlisted = {
            f"view:{v}" for v in failed_views | forbidden_views if self._never_answered(f"view:{v}")
        }
        missing = self._missing(products, failed_views | forbidden_views)
        for product_id in missing:
            await self._confirm(product_id, products, gone, failed)
        skus: list[Sku] = []
        carried = [s for s in self._known_skus.values() if s.product_id in failed]
        answered: set[str] = set()
        cached: set[tuple[str, str]] = set()
        new: set[tuple[str, str]] = set()
        lists = fan_out(self._to_list(products), self._sku_lists.of, at_once=self._at_once)
        async for found in lists:
            product_id = found.product.product_id
            skus.extend(found.skus)
            carried.extend(found.carried)
            gone.extend(found.gone)
            if found.is_answered:
                answered.add(product_id)
                new |= self._new(found)
                cached |= {s.name for s in found.skus if found.is_cached}
            elif found.is_missing and found.product.is_cached:
                del products[product_id]
                await self._confirm(product_id, products, gone, failed)
                failed |= {product_id} & products.keys()
            else:
                failed.add(product_id)
                if self._product_never_answered(found.product):
                    unlisted.add(product_id)
        skus.extend(await self._named_skus(products, answered, gone, failed, cached))
        if failed_views and not failed:
            failed.add("")
        told = {s.name for s in skus} | {(g.product_id, g.sku_id) for g in gone}
        carried = [s for s in carried if s.name not in told]
        told |= {s.name for s in carried}
        out_of_scope = [s for s in self._known_skus.values() if s.name not in told]
        return CatalogFound(
            country=self._country,
            reservation_scope=self._scope,
            skus=tuple(sorted(skus, key=lambda s: s.name)),
            carried=tuple(sorted([*carried, *out_of_scope], key=lambda s: s.name)),
            views={p.product_id: p.view for p in products.values()},
            answered=frozenset(answered),
            listed=self._wholly_listed(products, failed),
            cached=frozenset(cached),
            failed=frozenset(failed),
            gone=tuple(sorted(gone, key=lambda g: (g.product_id, g.sku_id))),
            new=frozenset(new),
            unlisted=frozenset(unlisted),
            named=self._named,
            learned=self._known_learned,
            forbidden=tuple(sorted(self._forbidden.values())),
        )

    async def _list_view(
        self, view: str, products: dict[str, Product], failed: set[str], forbidden: set[str]
    ) -> None:
        """Add the products of one target view; of several segments, all that are allowed."""
        allowed = False
        for segment in self._rules.segments or ("",):
            try:
                listed = await self._api.products(self._country, view, segment, self._scope)
            except Unauthorized:
                raise
            except PartnerCenterError as refusal:
                if Does.PASSED_OVER in refusal.does:
                    self._pass_over(view, segment, refusal)
                else:
                    failed.add(view)
                continue
            allowed = True
            for read in listed:
                self._add(products, read, view)
        if not allowed:
            forbidden.add(view)
        elif view not in failed:
            self._views_listed[f"view:{view}", ""] = self._as_listed.of_view

    def _wholly_listed(
        self, products: dict[str, Product], failed: Container[str]
    ) -> dict[tuple[str, str], Listed]:
        """Return what is remembered as answered.

        Not the product list of a product that failed, nor one of which a segment is not for us:
        that is told in every run.
        """
        views = self._known_views | {p.product_id: p.view for p in products.values()}
        short = {(f"view:{view}", "") for product_id, view in views.items() if product_id in failed}
        short |= {(f"view:{view}", "") for view, _ in self._forbidden}
        of_views = {n: said for n, said in self._views_listed.items() if n not in short}
        return of_views | self._sku_lists.listed

    def _add_named(self, products: dict[str, Product]) -> None:
        """Add the products outside the views that the configuration names and that are not due."""
        named = {(product_id, "") for product_id in self._rules.also_listed} | self._named
        for product_id in sorted({product_id for product_id, _ in named} - products.keys()):
            view = self._known_views.get(product_id, "")
            sku_ids = [sku_id for name, sku_id in named if name == product_id]
            title = self._as_listed.named(product_id, sku_ids)
            if title is not None and view not in self._rules.target_views:
                products[product_id] = _cached(product_id, title, view)

    def _pass_over(self, view: str, segment: str, refusal: PartnerCenterError) -> None:
        """Record a view or segment that is not for this partner, once."""
        listing = ForbiddenListing(
            country=self._country,
            reservation_scope=self._scope,
            view=view,
            segment=segment,
            error_code=refusal.error_code_sent,
            request_id=refusal.request_id,
            correlation_id=refusal.correlation_id,
        )
        self._forbidden.setdefault((view, segment), listing)

    def _add(
        self,
        products: dict[str, Product],
        read: wire.Product,
        view: str,
        *,
        by_customer: bool = False,
    ) -> None:
        was_listed = self._is_known and not self._never_answered(f"view:{view}")
        is_new = (
            was_listed
            and read.id not in self._known_views
            and (read.id, "") not in self._known_gone
        )
        product = Product(
            product_id=read.id,
            title=read.title,
            view=view,
            is_new=is_new,
            by_customer=by_customer,
        )
        products.setdefault(read.id, product)

    def _never_answered(self, listing: str) -> bool:
        return not self._is_known or listing in self._unlisted_before

    def _product_never_answered(self, product: Product) -> bool:
        """Tell whether a product's SKUs, when they are listed at last, are no news."""
        if product.product_id in self._unlisted_before:
            return True
        return product.product_id not in self._known_views and not product.is_new

    def _missing(self, products: Iterable[str], unread_views: set[str]) -> list[str]:
        """Return the products that no listing names, and one should or the configuration does."""
        in_views = {
            product_id
            for product_id, view in self._known_views.items()
            if view in self._rules.target_views and view not in unread_views
        }
        named = {product_id for product_id, _ in self._named} | set(self._rules.also_listed)
        gone = {product_id for product_id, sku_id in self._known_gone if not sku_id}
        return sorted((in_views - gone | named) - set(products))

    async def _confirm(
        self, product_id: str, products: dict[str, Product], gone: list[Gone], failed: set[str]
    ) -> None:
        """Ask for one product by id: still there, gone, or not to be known today."""
        view = self._known_views.get(product_id, "")
        try:
            read, by_customer = await self._product(product_id)
        except PartnerCenterError as refusal:
            if Does.LEFT_CATALOG not in refusal.does:
                failed.add(product_id)
            elif product_id in self._known_views and self._is_seen(product_id):
                gone.extend(self._gone_with_product(product_id, refusal.sent_at))
        else:
            self._add(products, read, view, by_customer=by_customer)

    def _is_seen(self, product_id: str) -> bool:
        """Tell whether one that only customers may see could have been seen."""
        return product_id not in self._rules.also_listed or bool(self._buyers)

    async def _product(self, product_id: str) -> tuple[wire.Product, bool]:
        """Return a product, and whether only customers see it."""
        try:
            return await self._api.product(self._country, product_id), False
        except NotFound:
            if product_id not in self._rules.also_listed or not self._buyers:
                raise
        return await self._buyers.product(product_id), True

    def _gone_with_product(self, product_id: str, at: datetime | None) -> Iterable[Gone]:
        yield departure(self._where, (product_id, ""), at)
        for known in self._known_skus.values():
            if known.product_id == product_id:
                gone = departure(self._where, known.name, at)
                yield msgspec.structs.replace(gone, with_product=True)

    def _to_list(self, products: dict[str, Product]) -> list[Product]:
        """Return the products whose SKUs are listed: not those of which only SKUs are named."""
        listed = {product_id for product_id, sku_id in self._named if not sku_id}
        listed |= set(self._rules.also_listed)
        return [p for p in products.values() if p.view or p.product_id in listed]

    def _new(self, found: Skus) -> set[tuple[str, str]]:
        """Return the SKUs that an answered listing names for the first time, as news."""
        product = found.product
        was_listed = product.is_new or (
            product.product_id in self._known_views
            and product.product_id not in self._unlisted_before
        )
        if not was_listed:
            return set()
        return {s.name for s in found.skus} - self._known_skus.keys() - self._known_gone

    async def _named_skus(
        self,
        products: dict[str, Product],
        answered: set[str],
        gone: list[Gone],
        failed: set[str],
        cached: set[tuple[str, str]],
    ) -> list[Sku]:
        """Return the SKUs that the configuration names one by one; a 404 is a departure."""
        found = []
        left = {(g.product_id, g.sku_id) for g in gone}
        for product_id, sku_id in sorted(self._named):
            if not sku_id or product_id in answered:
                continue
            as_listed = self._as_listed.sku(product_id, sku_id)
            if as_listed is not None:
                cached.add(as_listed.name)
                found.append(as_listed)
                continue
            product = products.get(product_id) or Product(
                product_id=product_id, title="", view="", is_new=False
            )
            try:
                found.append(await self._sku_lists.named(product, sku_id))
            except PartnerCenterError as refusal:
                name = (product_id, sku_id)
                if Does.LEFT_CATALOG not in refusal.does:
                    failed.add(product_id)
                elif name in self._known_skus and name not in left:
                    gone.append(departure(self._where, name, refusal.sent_at))
        return found


def _cached(product_id: str, title: str, view: str) -> Product:
    return Product(product_id=product_id, title=title, view=view, is_new=False, is_cached=True)
