"""Compares the Azure subscriptions found for one customer with those known before."""

from collections.abc import Hashable, Iterable
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

from auditor.model import AzureSubscription, CommerceSubscription, Customer
from auditor.scope.known import Known
from auditor.scope.offers import REGISTRATION_UNKNOWN

_Noun = TypeVar("_Noun", AzureSubscription, CommerceSubscription, Customer)
_Name = TypeVar("_Name", bound=Hashable)
_NONE: frozenset[Any] = frozenset()  # Any: the set is always empty


def one(found: _Noun, known: _Noun | None) -> _Noun:
    """Return `known` if it equals `found`, else `found`. This saves a second equal object."""
    return known if known is not None and known == found else found


def some(names: AbstractSet[_Name]) -> frozenset[_Name]:
    """Return the names. No names give one shared set, because each empty set takes 216 bytes."""
    return frozenset(names) if names else _NONE


class Azure:
    """The Azure subscriptions of one customer, compared with those known before."""

    def __init__(self, known: Known, customer_id: str) -> None:
        self._before = known.azure_subscriptions.get(customer_id, {})
        self._left = {s for c, s in known.left_subscriptions if c == customer_id}
        self.plans_before = known.commerce_subscriptions.get(customer_id, {}).keys()
        self.has_baseline = known.holds(customer_id, "") and not self._unlisted(
            known, customer_id, ""
        )
        self._never_listed = {name for c, _, _, name in known.unlisted if c == customer_id}
        self.found: dict[str, AzureSubscription] = {}
        self.carried: set[str] = set()
        self.ended: set[str] = set()
        self.new: set[str] = set()
        self.unlisted: set[str] = set()
        self.is_whole = True
        """True if all listings of the customer were answered."""

    @staticmethod
    def _unlisted(known: Known, customer_id: str, listing: str) -> bool:
        return (customer_id, "", "", listing) in known.unlisted

    def before_of(self, plan_id: str) -> list[str]:
        """Return the ids of the Azure subscriptions that were known under a plan."""
        return [s.azure_subscription_id for s in self._before.values() if s.plan_id == plan_id]

    def add(self, plan: CommerceSubscription, found: Iterable[AzureSubscription]) -> None:
        """Add the Azure subscriptions that an answered listing of a plan names."""
        for subscription in found:
            name = subscription.azure_subscription_id
            self.found[name] = one(subscription, self._before.get(name))
            self.is_whole &= subscription.registration_status.lower() != REGISTRATION_UNKNOWN
            if (
                self.has_baseline
                and name not in self._before
                and name not in self._left
                and plan.commerce_subscription_id not in self._never_listed
            ):
                self.new.add(name)

    def carry(self, plan_id: str) -> None:
        """Carry the known Azure subscriptions of a plan whose listing failed."""
        self.is_whole = False
        for name in self.before_of(plan_id):
            self.found.setdefault(name, self._before[name])
            self.carried.add(name)

    def carry_some(self, names: Iterable[str]) -> None:
        """Carry known Azure subscriptions that an unusable item of a listing may be about."""
        self.is_whole = False
        for name in names:
            if name not in self.found:
                self.found[name] = self._before[name]
                self.carried.add(name)

    def end_the_rest(self, carried_plans: Iterable[str]) -> None:
        """Record the known Azure subscriptions that no listing names now as ended."""
        for name, subscription in self._before.items():
            if name not in self.found and subscription.plan_id not in carried_plans:
                self.ended.add(name)
