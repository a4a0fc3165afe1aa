"""Reads products that no country lists and only customers can see, such as Azure savings plans.

One customer's SKUs are checked for every customer of that country. If another customer cannot see
a SKU, the reply to its check says so.
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
    """Up to three customers of one country that hold an Azure plan."""

    def __init__(
        self, api: PartnerCenter, customers: Iterable[CustomerFound], country: str
    ) -> None:
        self._api = api
        ids = sorted(c.customer.customer_id for c in customers if _holds_plan(c, country))
        self._ids = ids[:MOST]

    def __bool__(self) -> bool:
        """Return True if at least one customer can be asked."""
        return bool(self._ids)

    async def product(self, product_id: str) -> wire.Product:
        """Return a product from the first customer that gets an answer."""
        return await self._first(lambda buyer: self._api.customer_product(buyer, product_id))

    async def skus(self, product_id: str) -> Listed[wire.Sku]:
        """Return the SKUs of a product from the first customer that gets an answer."""
        return await self._first(lambda buyer: self._api.customer_skus(buyer, product_id))

    async def sku(self, product_id: str, sku_id: str) -> wire.Sku:
        """Return a SKU from the first customer that gets an answer."""
        return await self._first(lambda buyer: self._api.customer_sku(buyer, product_id, sku_id))

    async def _first(self, ask: Callable[[str], Awaitable[T]]) -> T:
        """Return the first answer that a customer gets.

        Raises:
            PartnerCenterError: no customer got an answer. The error says that the item left the
                catalog only if all replies say so.
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
