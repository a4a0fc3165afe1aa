"""Reads products that only customers can see, no country: such as Azure savings plans.

The SKUs that one customer sees are asked for every customer of its country; for a customer that
does not see them, each reply says so.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from auditor.errors import Does, PartnerCenterError
from auditor.partner_center import wire
from auditor.partner_center.client import PartnerCenter
from auditor.partner_center.decoding import Listed
from auditor.scope.found import CustomerFound
from auditor.scope.offers import AZURE_PLAN, is_active

T = TypeVar("T")
MOST = 3


class Buyers:
    """Some customers of one country that hold an Azure plan."""

    def __init__(
        self, api: PartnerCenter, customers: Iterable[CustomerFound], country: str
    ) -> None:
        self._api = api
        ids = sorted(c.customer.customer_id for c in customers if _holds_plan(c, country))
        self._ids = ids[:MOST]

    def __bool__(self) -> bool:
        """Tell whether there is any such customer."""
        return bool(self._ids)

    async def product(self, product_id: str) -> wire.Product:
        """Return a product as the first customer sees it."""
        return await self._first(lambda buyer: self._api.customer_product(buyer, product_id))

    async def skus(self, product_id: str) -> Listed[wire.Sku]:
        """Return the SKUs of a product that the first customer sees."""
        return await self._first(lambda buyer: self._api.customer_skus(buyer, product_id))

    async def sku(self, product_id: str, sku_id: str) -> wire.Sku:
        """Return a SKU as the first customer sees it."""
        return await self._first(lambda buyer: self._api.customer_sku(buyer, product_id, sku_id))

    async def _first(self, ask: Callable[[str], Awaitable[T]]) -> T:
        """Return the first answer.

        Raises:
            PartnerCenterError: no customer got an answer; a departure only if all replies say so.
        """
        refusals: list[PartnerCenterError] = []
        for buyer in self._ids:
            try:
                found = await ask(buyer)
            except PartnerCenterError as refusal:
                refusals.append(refusal)
            else:
                self._api.failed.take_back(*refusals)
                return found
        raise next((r for r in refusals if Does.LEFT_CATALOG not in r.does), refusals[0])


def _holds_plan(found: CustomerFound, country: str) -> bool:
    if country not in found.countries or found.failed or found.ineligible or found.left:
        return False
    return any(
        held.product_id == AZURE_PLAN and is_active(held.status)
        for held in found.commerce_subscriptions
    )
