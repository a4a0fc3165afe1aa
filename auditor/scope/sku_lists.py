"""Lists the SKUs of a product: asks one list for each segment, then missing SKUs by id."""

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from auditor.errors import Bug, Does, NotFound, PartnerCenterError
from auditor.model import RememberedListing, Sku
from auditor.partner_center import wire
from auditor.partner_center.client import PartnerCenter
from auditor.partner_center.decoding import Listed
from auditor.scope import from_wire
from auditor.scope.buyers import Buyers
from auditor.scope.cached import CatalogAsListed
from auditor.scope.found import Gone
from auditor.scope.known import Known


class ProductFound(msgspec.Struct, frozen=True, kw_only=True):
    """A product that the catalog of one country and reservation scope lists."""

    product_id: str
    title: str
    view: str
    is_new: bool
    by_customer: bool = False
    """True if no country lists the product: only customers can see it."""
    is_cached: bool = False
    """True if the product comes from a cached product list, or a cached reply by id."""


class SkusFound(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one product's SKU list."""

    product: ProductFound
    skus: tuple[Sku, ...] = ()
    carried: tuple[Sku, ...] = ()
    gone: tuple[Gone, ...] = ()
    is_answered: bool = False
    is_cached: bool = False
    """True if the list was not due, so it was not asked."""
    missing: tuple[PartnerCenterError, ...] = ()
    """The errors, if all replies were 404: the product may be gone. Else empty."""
    is_partly: bool = False
    """True if a list holds an item that cannot be used and may be about an unknown SKU."""


class SkuLists:
    """The SKU lists of one country and reservation scope."""

    def __init__(  # country and scope name the catalog
        self,
        api: PartnerCenter,
        known: Known,
        remembered: CatalogAsListed,
        *,
        where: tuple[str, str],
        segments: tuple[str, ...],
        buyers: Buyers,
        pass_over: Callable[[str, str, PartnerCenterError], None],
    ) -> None:
        """`pass_over` records a view and segment that the partner may not read."""
        self._api = api
        self._partner_tenant_id = known.partner_tenant_id
        self._known_skus = known.skus.get(where, {})
        self._remembered = remembered
        self._country, self._scope = where
        self._segments = segments
        self._buyers = buyers
        self._pass_over = pass_over
        self.listed: dict[tuple[str, str], RememberedListing] = {}
        """The listings that were wholly answered, as in `CatalogFound.listed`."""

    async def of(self, product: ProductFound) -> SkusFound:
        """Return a product's SKUs: from the store if the list is not due, else by asking."""
        remembered = self._remembered.skus(product.product_id)
        if remembered is not None:
            return SkusFound(product=product, skus=remembered, is_answered=True, is_cached=True)
        before = {n: s for n, s in self._known_skus.items() if s.product_id == product.product_id}
        listed: dict[tuple[str, str], Sku] = {}
        missing: list[PartnerCenterError] = []
        set_apart: set[tuple[str, str]] = set()
        is_answered = is_partly = False
        for segment in ("",) if product.by_customer else self._segments or ("",):
            try:
                reads = await self._list(product, segment)
            except NotFound as refusal:
                missing.append(refusal)
                continue  # the product is not in this segment
            except PartnerCenterError as refusal:
                if Does.PASSED_OVER not in refusal.does:
                    return SkusFound(product=product, carried=tuple(before.values()))
                self._pass_over(product.view, segment, refusal)
                continue
            listed |= {s.name: s for s in (self._sku(product, r) for r in reads.items)}
            set_apart |= {(product.product_id, one.id) for one in reads.spoiled if one.id}
            is_partly |= reads.has_nameless
            is_answered = True
        if not is_answered:
            return SkusFound(
                product=product, carried=tuple(before.values()), missing=tuple(missing)
            )
        self._api.failed.take_back(*missing)
        return await self._confirmed(product, before, listed, set_apart, is_partly=is_partly)

    async def named(self, product: ProductFound, sku_id: str) -> Sku:
        """Ask for a SKU by id, and return it.

        Raises:
            PartnerCenterError: the SKU is gone, or could not be read.
        """
        name = (product.product_id, sku_id)
        read = await self._api.sku(self._country, *name, self._scope)
        sku = self._sku(product, read)
        self.listed[name] = self._listing_of([sku])
        return sku

    async def _confirmed(
        self,
        product: ProductFound,
        before: dict[tuple[str, str], Sku],
        listed: dict[tuple[str, str], Sku],
        set_apart: set[tuple[str, str]],
        *,
        is_partly: bool,
    ) -> SkusFound:
        """Return an answered list, completed by asking for some known SKUs by id.

        Those are the SKUs that the list lacks, and those whose item was set apart. An item that was
        set apart shows that its SKU exists, whatever the reply by id.
        """
        gone: list[Gone] = []
        carried: list[Sku] = []
        for name in sorted((before.keys() | set_apart) - listed.keys()):
            try:
                read = await self._known_sku(product, name)
            except PartnerCenterError as refusal:
                if name not in before:
                    is_partly = True
                elif Does.LEFT_CATALOG in refusal.does and name not in set_apart:
                    gone.append(departure((self._country, self._scope), name, refusal.sent_at))
                else:
                    carried.append(before[name])
            else:
                listed[name] = self._sku(product, read)
        if not carried and not is_partly:
            self.listed[product.product_id, ""] = self._listing_of(listed.values())
        return SkusFound(
            product=product,
            skus=tuple(listed.values()),
            carried=tuple(carried),
            gone=tuple(gone),
            is_answered=True,
            is_partly=is_partly,
        )

    async def _list(self, product: ProductFound, segment: str) -> Listed[wire.Sku]:
        if product.by_customer:
            return await self._buyers.skus(product.product_id)
        return await self._api.skus(self._country, product.product_id, segment, self._scope)

    async def _known_sku(self, product: ProductFound, name: tuple[str, str]) -> wire.Sku:
        if product.by_customer:
            return await self._buyers.sku(*name)
        return await self._api.sku(self._country, *name, self._scope)

    def _listing_of(self, skus: Iterable[Sku]) -> RememberedListing:
        names = {s.sku_id: s.arm_region_name for s in skus if s.arm_region_name != s.region}
        return msgspec.structs.replace(self._remembered.of_skus, arm_region_names=names)

    def _sku(self, product: ProductFound, read: wire.Sku) -> Sku:
        return from_wire.sku(
            self._partner_tenant_id, self._country, self._scope, product.title, read
        )


def departure(where: tuple[str, str], name: tuple[str, str], at: datetime | None) -> Gone:
    """Return the departure of a product (`sku_id` '') or SKU; `at` is when its request was sent."""
    if at is None:
        raise Bug("a reply without a request")
    country, scope = where
    product_id, sku_id = name
    return Gone(
        country=country, reservation_scope=scope, product_id=product_id, sku_id=sku_id, at=at
    )
