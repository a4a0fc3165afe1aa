"""Builds the next night: its state, its random generator and the list of its events."""

import random
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from auditor.sandbox.world import seeded
from auditor.sandbox.world.model import AZURE_PLAN, AzureSubscription, Customer, Sku, SkuKey
from auditor.sandbox.world.state import NightState

Item = TypeVar("Item")


class Kind(StrEnum):
    """The kinds of event between one night and the next."""

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
    """One change of the world; fields that its kind does not need are `''`."""

    night: int
    kind: Kind
    customer_id: str = ""
    subscription_id: str = ""
    """A commerce or an Azure subscription, depending on the kind."""
    country: str = ""
    region: str = ""
    product_id: str = ""
    sku_id: str = ""


class NightBuilder:
    """Builds the next night from the one before. Each subject changes at most once a night."""

    def __init__(self, before: NightState) -> None:
        self.before = before
        self.state = before.following()
        self.portfolio = before.portfolio
        self.rng: random.Random = seeded.generator(self.portfolio.seed, "night", self.state.night)
        self.events: list[Event] = []
        self._claimed: set[Hashable] = set()
        self._checked_skus: dict[str, list[Sku]] = {}

    def record(
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

    def claim(self, subject: Hashable) -> bool:
        """Claim a subject for a change; return false if it was claimed before in this night."""
        if subject in self._claimed:
            return False
        self._claimed.add(subject)
        return True

    def claim_all(self, subjects: Iterable[Hashable]) -> bool:
        """Claim all subjects; if one was claimed before, claim none and return false."""
        wanted = set(subjects)
        if wanted & self._claimed:
            return False
        self._claimed |= wanted
        return True

    def sample(self, pool: Sequence[Item], per_mille: float, at_least: int = 1) -> list[Item]:
        """Return a random share of the pool: at least `at_least`, at most the whole pool."""
        count = min(len(pool), max(at_least, round(len(pool) * per_mille / 1000)))
        return self.rng.sample(pool, count)

    def audited_on_both_nights(self) -> list[tuple[Customer, AzureSubscription]]:
        """Return the Azure subscriptions checked on both nights: only there a change shows."""
        before = {azure.azure_subscription_id for _, azure in self.before.audited_azure()}
        return [
            (customer, azure)
            for customer, azure in self.state.audited_azure()
            if azure.azure_subscription_id in before
        ]

    def checked_skus(self, country: str) -> list[Sku]:
        """Return the VM SKUs that ask for a check and are listed in the country on both nights."""
        if country not in self._checked_skus:
            self._checked_skus[country] = [
                sku
                for product in self.portfolio.products
                if product.kind == "vm"
                for sku in product.skus
                if sku.asks_inventory
                and self.before.is_listed(sku, country, AZURE_PLAN)
                and self.state.is_listed(sku, country, AZURE_PLAN)
            ]
        return self._checked_skus[country]
