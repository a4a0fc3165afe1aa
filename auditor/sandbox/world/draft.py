"""What the script writes a night with: the new state, the draws and the list of what happened."""

import random
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from auditor.sandbox.world import draws
from auditor.sandbox.world.state import State
from auditor.sandbox.world.things import AZURE_PLAN, AzureSubscription, Customer, Sku, SkuKey

Item = TypeVar("Item")


class Kind(StrEnum):
    """Everything that can happen between one night and the next."""

    SKU_RESTRICTED = "sku_restricted"
    REGION_RESTRICTED = "region_restricted"
    REGION_LIFTED = "region_lifted"
    RESTRICTION_LIFTED = "restriction_lifted"
    RESTRICTION_CHANGED = "restriction_changed"
    SKU_OMITTED = "sku_omitted"
    SKU_OFFERED_AGAIN = "sku_offered_again"
    SKU_LEFT = "sku_left"
    SKU_RETURNED = "sku_returned"
    SKU_NEW = "sku_new"
    PRODUCT_LEFT = "product_left"
    PRODUCT_RETURNED = "product_returned"
    CUSTOMER_LEFT = "customer_left"
    CUSTOMER_CAME = "customer_came"
    RELATIONSHIP_ENDED = "relationship_ended"
    COMMERCE_LEFT = "commerce_left"
    COMMERCE_CAME = "commerce_came"
    COMMERCE_INACTIVE = "commerce_inactive"
    COMMERCE_ACTIVE = "commerce_active"
    AZURE_LEFT = "azure_left"
    AZURE_CAME = "azure_came"
    AZURE_INACTIVE = "azure_inactive"
    AZURE_ACTIVE = "azure_active"
    REGISTRATION_CHANGED = "registration_changed"
    LICENCE_NOT_PURCHASABLE = "licence_not_purchasable"
    LICENCE_PURCHASABLE = "licence_purchasable"
    LICENCE_TERMS_CHANGED = "licence_terms_changed"
    LICENCE_TERM_GONE = "licence_term_gone"
    LICENCE_TERM_BACK = "licence_term_back"
    LICENCE_GONE = "licence_gone"
    LICENCE_BACK = "licence_back"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that the script did; fields that a kind does not need are `''`."""

    night: int
    kind: Kind
    customer_id: str = ""
    subscription_id: str = ""
    """A commerce or an Azure subscription, whichever the kind speaks of."""
    country: str = ""
    region: str = ""
    product_id: str = ""
    sku_id: str = ""


class Draft:
    """A night in the making. What was touched once is left alone for the rest of the night."""

    def __init__(self, before: State) -> None:
        self.before = before
        self.state = before.following()
        self.portfolio = before.portfolio
        self.draw: random.Random = draws.stream(self.portfolio.seed, "night", self.state.night)
        self.events: list[Event] = []
        self._touched: set[Hashable] = set()
        self._askable: dict[str, list[Sku]] = {}

    def tell(
        self,
        kind: Kind,
        *,
        customer_id: str = "",
        subscription_id: str = "",
        country: str = "",
        region: str = "",
        key: SkuKey = ("", ""),
    ) -> None:
        event = Event(
            self.state.night, kind, customer_id, subscription_id, country, region, key[0], key[1]
        )
        self.events.append(event)

    def touch(self, subject: Hashable) -> bool:
        """Claim a subject for tonight; false if something has happened to it already."""
        if subject in self._touched:
            return False
        self._touched.add(subject)
        return True

    def touch_all(self, subjects: Iterable[Hashable]) -> bool:
        """Claim several subjects; false, and none is claimed, if something happened to one."""
        wanted = set(subjects)
        if wanted & self._touched:
            return False
        self._touched |= wanted
        return True

    def some(self, pool: Sequence[Item], per_mille: float, at_least: int = 1) -> list[Item]:
        """Return that share of a pool, and at least so many of it as long as there are any."""
        count = min(len(pool), max(at_least, round(len(pool) * per_mille / 1000)))
        return self.draw.sample(pool, count)

    def still_audited(self) -> list[tuple[Customer, AzureSubscription]]:
        """Return what was asked the night before and is asked tonight: there, changes show."""
        before = {azure.azure_subscription_id for _, azure in self.before.audited_azure()}
        return [
            (customer, azure)
            for customer, azure in self.state.audited_azure()
            if azure.azure_subscription_id in before
        ]

    def askable(self, country: str) -> list[Sku]:
        """Return the VM SKUs that ask for a check and are listed there on both nights."""
        if country not in self._askable:
            self._askable[country] = [
                sku
                for product in self.portfolio.products
                if product.kind == "vm"
                for sku in product.skus
                if sku.asks_inventory
                and self.before.is_listed(sku, country, AZURE_PLAN)
                and self.state.is_listed(sku, country, AZURE_PLAN)
            ]
        return self._askable[country]
