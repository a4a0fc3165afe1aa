"""Discovers products and SKUs of one country and reservation scope: the second half of wave 1.

If an answered listing no longer names a product or SKU, that item is asked for by id. Only a 404
proves that it left the catalog (docs/contract.md). Products that only customers can see, such as
Azure savings plans, are listed for up to three customers (`Buyers`).
"""

from collections.abc import Collection, Container, Iterable
from datetime import datetime

import msgspec

from auditor.concurrency import fan_out
from auditor.errors import Does, NotFound, PartnerCenterError, Unauthorized
from auditor.model import RememberedListing, Sku
from auditor.partner_center import wire
from auditor.partner_center.client import PartnerCenter
from auditor.scope.buyers import Buyers
from auditor.scope.cached import CatalogAsListed
from auditor.scope.due import EVERY_RUN, Due
from auditor.scope.found import CatalogFound, ForbiddenListing, Gone
from auditor.scope.known import Known
from auditor.scope.sku_lists import ProductFound, SkuLists, SkusFound, departure


class CatalogRules(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that decide which part of the catalog is listed."""

    target_views: tuple[str, ...]
    segments: tuple[str, ...]
    products: tuple[str, ...] = ()
    """Each is a product id, or a SKU as PRODUCT:SKU."""
    also_listed: tuple[str, ...] = ()
    """Products whose SKUs are listed although no inventory check is made for them."""
    due: Due = EVERY_RUN


class CatalogDiscovery:
    """Lists the catalog of one country and reservation scope."""

    def __init__(  # country and scope name the catalog
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
        self._remembered = CatalogAsListed(
            known, where, rules.due, segments=rules.segments, target_views=rules.target_views
        )
        self._sku_lists = SkuLists(
            api,
            known,
            self._remembered,
            where=where,
            segments=rules.segments,
            buyers=buyers,
            pass_over=self._pass_over,
        )
        self._views_listed: dict[tuple[str, str], RememberedListing] = {}
        self._partly_listed: set[str] = set()
        """Target views with a spoiled item; an item of a product list needs only a usable id."""
        self._not_found: set[tuple[str, str]] = set()
        """Products (SKU id '') and SKUs that were asked for by id and got a 404."""

    async def find(self) -> CatalogFound:
        """Return the catalog as far as it could be listed, and the items that have left it.

        Raises:
            Unauthorized: the product list itself is refused, so the partner is out.
        """
        products: dict[str, ProductFound] = {}
        failed_views: set[str] = set()
        forbidden_views: set[str] = set()
        for view in self._rules.target_views:
            remembered = self._remembered.products(view)
            if remembered is None:
                await self._list_view(view, products, failed_views, forbidden_views)
            for product_id, title in (remembered or {}).items():
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
        unlisted |= {f"view:{v}" for v in self._partly_listed if self._never_answered(f"view:{v}")}
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
                unlisted |= self._partly_answered(found)
                cached |= {s.name for s in found.skus if found.is_cached}
            elif found.missing and found.product.is_cached:
                del products[product_id]
                await self._confirm(product_id, products, gone, failed, found.missing)
            else:
                failed.add(product_id)
                if self._product_never_answered(found.product):
                    unlisted.add(product_id)
        skus.extend(await self._named_skus(products, answered, gone, failed, cached))
        if failed_views and not failed:
            failed.add("")
        settled = {s.name for s in skus} | {(g.product_id, g.sku_id) for g in gone}
        carried = [s for s in carried if s.name not in settled]
        settled |= {s.name for s in carried}
        out_of_scope = [s for s in self._known_skus.values() if s.name not in settled]
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
            still_gone=self._still_gone(
                products,
                answered,
                here={s.name for s in skus},
                unread=failed_views | forbidden_views,
            ),
            new=frozenset(new),
            unlisted=frozenset(unlisted),
            named=self._named,
            learned=self._known_learned,
            forbidden=tuple(sorted(self._forbidden.values())),
        )

    async def _list_view(
        self, view: str, products: dict[str, ProductFound], failed: set[str], forbidden: set[str]
    ) -> None:
        """Add the products of one target view, from all segments that the partner may read."""
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
            for read in listed.items:
                self._add(products, read, view)
            if listed.spoiled:
                self._partly_listed.add(view)
        if not allowed:
            forbidden.add(view)
        elif view not in failed | self._partly_listed:
            self._views_listed[f"view:{view}", ""] = self._remembered.of_view

    def _wholly_listed(
        self, products: dict[str, ProductFound], failed: Container[str]
    ) -> dict[tuple[str, str], RememberedListing]:
        """Return the listings to remember as answered.

        A product list is left out if one of its products failed. It is also left out if one of its
        segments is forbidden, because every run reports forbidden segments.
        """
        views = self._known_views | {p.product_id: p.view for p in products.values()}
        short = {(f"view:{view}", "") for product_id, view in views.items() if product_id in failed}
        short |= {(f"view:{view}", "") for view, _ in self._forbidden}
        of_views = {n: view for n, view in self._views_listed.items() if n not in short}
        return of_views | self._sku_lists.listed

    def _add_named(self, products: dict[str, ProductFound]) -> None:
        """Add the configured products outside the views, if they are not due."""
        named = {(product_id, "") for product_id in self._rules.also_listed} | self._named
        for product_id in sorted({product_id for product_id, _ in named} - products.keys()):
            view = self._known_views.get(product_id, "")
            sku_ids = [sku_id for name, sku_id in named if name == product_id]
            title = self._remembered.named(product_id, sku_ids)
            if title is not None and view not in self._rules.target_views:
                products[product_id] = _cached(product_id, title, view)

    def _pass_over(self, view: str, segment: str, refusal: PartnerCenterError) -> None:
        """Record a view and segment that the partner may not read, only once for all refusals."""
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
        products: dict[str, ProductFound],
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
        product = ProductFound(
            product_id=read.id, title=read.title, view=view, is_new=is_new, by_customer=by_customer
        )
        products.setdefault(read.id, product)

    def _never_answered(self, listing: str) -> bool:
        return not self._is_known or listing in self._unlisted_before

    def _product_never_answered(self, product: ProductFound) -> bool:
        """Return True if the product's first SKU list is a baseline, so that no SKU is new."""
        if product.product_id in self._unlisted_before:
            return True
        return product.product_id not in self._known_views and not product.is_new

    def _partly_answered(self, found: SkusFound) -> set[str]:
        """Return the product's id if its first SKU list may lack a SKU, else nothing.

        The next SKU list of that product is then a baseline.
        """
        is_first = found.is_partly and self._product_never_answered(found.product)
        return {found.product.product_id} if is_first else set()

    def _missing(self, products: Iterable[str], unread_views: set[str]) -> list[str]:
        """Return the known or configured products that a listing should name and none does."""
        in_views = {
            product_id
            for product_id, view in self._known_views.items()
            if view in self._rules.target_views and view not in unread_views
        }
        named = {product_id for product_id, _ in self._named} | set(self._rules.also_listed)
        gone = {product_id for product_id, sku_id in self._known_gone if not sku_id}
        return sorted((in_views - gone | named) - set(products))

    async def _confirm(
        self,
        product_id: str,
        products: dict[str, ProductFound],
        gone: list[Gone],
        failed: set[str],
        missing: Iterable[PartnerCenterError] = (),
    ) -> None:
        """Ask for one product by id, and record it as found, gone or failed.

        `missing` are the 404s of its SKU list. They count as failures unless the product is gone.
        """
        view = self._known_views.get(product_id, "")
        try:
            read, by_customer = await self._product(product_id)
        except PartnerCenterError as refusal:
            if Does.LEFT_CATALOG not in refusal.does:
                failed.add(product_id)
                return
            self._api.failed.take_back(*missing)
            if not self._is_seen(product_id):
                return
            self._not_found.add((product_id, ""))
            if product_id in self._known_views:
                gone.extend(self._gone_with_product(product_id, refusal.sent_at))
        else:
            self._add(products, read, view, by_customer=by_customer)
            if missing:
                failed.add(product_id)

    def _is_seen(self, product_id: str) -> bool:
        """Return True if a 404 proves that the product is gone.

        If only customers can see the product and no customer could be asked, a 404 proves nothing.
        """
        return product_id not in self._rules.also_listed or bool(self._buyers)

    async def _product(self, product_id: str) -> tuple[wire.Product, bool]:
        """Return a product, and True if only customers can see it."""
        try:
            return await self._api.product(self._country, product_id), False
        except NotFound as refusal:
            if product_id not in self._rules.also_listed or not self._buyers:
                raise
            read = await self._buyers.product(product_id)
            self._api.failed.take_back(refusal)
        return read, True

    def _gone_with_product(self, product_id: str, at: datetime | None) -> Iterable[Gone]:
        yield departure(self._where, (product_id, ""), at)
        for known in self._known_skus.values():
            if known.product_id == product_id:
                gone = departure(self._where, known.name, at)
                yield msgspec.structs.replace(gone, with_product=True)

    def _still_gone(
        self,
        products: Container[str],
        answered: Container[str],
        *,
        here: Container[tuple[str, str]],
        unread: Collection[str],
    ) -> dict[tuple[str, str], datetime | None]:
        """Return the SKUs that left in an earlier run and are proven to be gone still.

        One of these is a proof: a 404 by id; an answered SKU list without the SKU; answers of all
        product lists without its product, if the product left too. `here` are the SKUs found,
        `unread` the views that were not listed. For the times, see `CatalogFound.still_gone`.
        """
        are_views_answered = bool(self._rules.target_views) and not unread
        views_at = self._remembered.views_answered_at()
        found: dict[tuple[str, str], datetime | None] = {}
        for name in self._known_gone:
            product_id, sku_id = name
            product = (product_id, "")
            if not sku_id or name in here:
                continue
            if name in self._not_found or product in self._not_found:
                found[name] = None
            elif product_id in answered:
                found[name] = self._remembered.skus_answered_at(product_id)
            elif product in self._known_gone and product_id not in products and are_views_answered:
                found[name] = views_at
        return found

    def _to_list(self, products: dict[str, ProductFound]) -> list[ProductFound]:
        """Return the products whose SKUs are to be listed.

        A product outside the views is left out if only single SKUs of it are configured.
        """
        listed = {product_id for product_id, sku_id in self._named if not sku_id}
        listed |= set(self._rules.also_listed)
        return [p for p in products.values() if p.view or p.product_id in listed]

    def _new(self, found: SkusFound) -> set[tuple[str, str]]:
        """Return the SKUs that a listing names for the first time; none if it is a baseline."""
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
        products: dict[str, ProductFound],
        answered: set[str],
        gone: list[Gone],
        failed: set[str],
        cached: set[tuple[str, str]],
    ) -> list[Sku]:
        """Return the SKUs that are configured one by one; a 404 means that the SKU has left."""
        found = []
        left = {(g.product_id, g.sku_id) for g in gone}
        for product_id, sku_id in sorted(self._named):
            if not sku_id or product_id in answered:
                continue
            remembered = self._remembered.sku(product_id, sku_id)
            if remembered is not None:
                cached.add(remembered.name)
                found.append(remembered)
                continue
            product = products.get(product_id) or ProductFound(
                product_id=product_id, title="", view="", is_new=False
            )
            try:
                found.append(await self._sku_lists.named(product, sku_id))
            except PartnerCenterError as refusal:
                name = (product_id, sku_id)
                if Does.LEFT_CATALOG not in refusal.does:
                    failed.add(product_id)
                    continue
                self._not_found.add(name)
                if name in self._known_skus and name not in left:
                    gone.append(departure(self._where, name, refusal.sent_at))
        return found


def _cached(product_id: str, title: str, view: str) -> ProductFound:
    return ProductFound(product_id=product_id, title=title, view=view, is_new=False, is_cached=True)
