"""List the SKUs of a product: as one list for each segment, and by id what a list leaves out."""

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from auditor.errors import Bug, Does, NotFound, PartnerCenterError
from auditor.model import Listed, Sku
from auditor.partner_center import wire
from auditor.partner_center.client import PartnerCenter
from auditor.scope import from_wire
from auditor.scope.buyers import Buyers
from auditor.scope.cached import CatalogAsListed
from auditor.scope.found import Gone
from auditor.scope.known import Known


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A product of one country and reservation scope, as far as it is known."""

    product_id: str
    title: str
    view: str
    is_new: bool
    by_customer: bool = False
    """Shown to customers, and by country to nobody."""
    is_cached: bool = False
    """Its product list, or the product itself, is not due and was not asked for."""


class Skus(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one product's SKU list."""

    product: Product
    skus: tuple[Sku, ...] = ()
    carried: tuple[Sku, ...] = ()
    gone: tuple[Gone, ...] = ()
    is_answered: bool = False
    is_cached: bool = False
    """The list is not due and was not asked for."""
    is_missing: bool = False
    """Not found: there may be no such product any more."""


class SkuLists:
    """The SKU lists of one country and reservation scope."""

    def __init__(  # the country and scope are the question
        self,
        api: PartnerCenter,
        known: Known,
        as_listed: CatalogAsListed,
        *,
        where: tuple[str, str],
        segments: tuple[str, ...],
        buyers: Buyers,
        pass_over: Callable[[str, str, PartnerCenterError], None],
    ) -> None:
        """Take what is not due, and whom to tell of a view's segment that is not for us."""
        self._api = api
        self._partner_tenant_id = known.partner_tenant_id
        self._known_skus = known.skus.get(where, {})
        self._as_listed = as_listed
        self._country, self._scope = where
        self._segments = segments
        self._buyers = buyers
        self._pass_over = pass_over
        self.listed: dict[tuple[str, str], Listed] = {}
        """What was wholly answered, as in `CatalogFound.listed`."""

    async def of(self, product: Product) -> Skus:
        """Return a product's SKUs: as they were listed, if that is not due, else as they are."""
        as_listed = self._as_listed.skus(product.product_id)
        if as_listed is not None:
            return Skus(product=product, skus=as_listed, is_answered=True, is_cached=True)
        before = {n: s for n, s in self._known_skus.items() if s.product_id == product.product_id}
        listed: dict[tuple[str, str], Sku] = {}
        is_answered = is_missing = False
        for segment in ("",) if product.by_customer else self._segments or ("",):
            try:
                reads = await self._list(product, segment)
            except NotFound:
                is_missing = True
                continue  # not in this segment
            except PartnerCenterError as refusal:
                if Does.PASSED_OVER not in refusal.does:
                    return Skus(product=product, carried=tuple(before.values()))
                self._pass_over(product.view, segment, refusal)
                continue
            listed |= {s.name: s for s in (self._sku(product, r) for r in reads)}
            is_answered = True
        if not is_answered:
            return Skus(product=product, carried=tuple(before.values()), is_missing=is_missing)
        return await self._confirmed(product, before, listed)

    async def named(self, product: Product, sku_id: str) -> Sku:
        """Return a SKU that is asked for by id.

        Raises:
            PartnerCenterError: it is gone, or cannot be asked for.
        """
        name = (product.product_id, sku_id)
        read = await self._api.sku(self._country, *name, self._scope)
        sku = self._sku(product, read)
        self.listed[name] = self._said([sku])
        return sku

    async def _confirmed(
        self,
        product: Product,
        before: dict[tuple[str, str], Sku],
        listed: dict[tuple[str, str], Sku],
    ) -> Skus:
        """Return an answered list, with what it leaves out asked for by id."""
        gone: list[Gone] = []
        carried: list[Sku] = []
        for name in sorted(before.keys() - listed.keys()):
            try:
                read = await self._known_sku(product, name)
            except PartnerCenterError as refusal:
                if Does.LEFT_CATALOG in refusal.does:
                    gone.append(departure((self._country, self._scope), name, refusal.sent_at))
                else:
                    carried.append(before[name])
            else:
                listed[name] = self._sku(product, read)
        if not carried:
            self.listed[product.product_id, ""] = self._said(listed.values())
        return Skus(
            product=product,
            skus=tuple(listed.values()),
            carried=tuple(carried),
            gone=tuple(gone),
            is_answered=True,
        )

    async def _list(self, product: Product, segment: str) -> tuple[wire.Sku, ...]:
        if product.by_customer:
            return await self._buyers.skus(product.product_id)
        return await self._api.skus(self._country, product.product_id, segment, self._scope)

    async def _known_sku(self, product: Product, name: tuple[str, str]) -> wire.Sku:
        if product.by_customer:
            return await self._buyers.sku(*name)
        return await self._api.sku(self._country, *name, self._scope)

    def _said(self, skus: Iterable[Sku]) -> Listed:
        names = {s.sku_id: s.arm_region_name for s in skus if s.arm_region_name != s.region}
        return msgspec.structs.replace(self._as_listed.of_skus, arm_region_names=names)

    def _sku(self, product: Product, read: wire.Sku) -> Sku:
        return from_wire.sku(
            self._partner_tenant_id, self._country, self._scope, product.title, read
        )


def departure(where: tuple[str, str], name: tuple[str, str], at: datetime | None) -> Gone:
    """Return that a product (`sku_id` '') or SKU is gone, told by a reply to what was sent `at`."""
    if at is None:
        raise Bug("a reply that came to no request")
    country, scope = where
    product_id, sku_id = name
    return Gone(
        country=country, reservation_scope=scope, product_id=product_id, sku_id=sku_id, at=at
    )
