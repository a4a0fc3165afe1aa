"""The state of one night: how it differs from the portfolio.

States are values: `nights.next_night` makes each from the one before; no finished one is changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from auditor.sandbox.world.model import (
    AZURE_PLAN,
    AzureSubscription,
    CommerceSubscription,
    Customer,
    Restriction,
    Sku,
    SkuKey,
    TermKey,
)
from auditor.sandbox.world.places import MARKETS_WITHOUT_RESERVATIONS
from auditor.sandbox.world.portfolio import Portfolio

OMITTED: None = None
"""In a map of restrictions: the SKU is not in this customer's catalog."""

Restrictions = dict[SkuKey, tuple[Restriction, ...] | None]
"""The restricted and omitted SKUs of one Azure subscription; all others are unrestricted."""


@dataclass(frozen=True, slots=True)
class LicenceState:
    """How one licence SKU differs from the catalog, for one customer or one country."""

    is_purchasable: bool = True
    is_gone: bool = False
    """The SKU answers 404."""
    flips_renewal: bool = False
    renew_to: str = ""
    hidden_terms: frozenset[TermKey] = frozenset()

    def combined_with(self, other: "LicenceState") -> "LicenceState":
        return replace(
            self,
            is_purchasable=self.is_purchasable and other.is_purchasable,
            is_gone=self.is_gone or other.is_gone,
            flips_renewal=self.flips_renewal != other.flips_renewal,
            renew_to=self.renew_to or other.renew_to,
            hidden_terms=self.hidden_terms | other.hidden_terms,
        )


UNCHANGED = LicenceState()

Holder = str
"""A customer id, or a country code for all customers of that country."""


@dataclass(slots=True)
class NightState:
    """One night. `absent` holds the ids of customers and subscriptions that do not exist on it."""

    night: int
    portfolio: Portfolio
    absent: set[str]
    relationships: dict[str, str]
    statuses: dict[str, str]
    """By commerce or Azure subscription; a legacy Azure one has one id and status for both."""
    registrations: dict[str, str]
    skus_out: dict[SkuKey, int]
    """SKUs that are not in the catalog, with the night they left; 0: they were never in it."""
    products_out: dict[str, int]
    restrictions: dict[str, Restrictions]
    """By Azure subscription. Nights share the inner maps: replace a map, never change it."""
    licences: dict[tuple[Holder, SkuKey], LicenceState]
    outages: dict[int, tuple[tuple[str, SkuKey], ...]]
    """Azure subscription and SKU pairs restricted by an outage, by the night it began."""

    def following(self) -> "NightState":
        """Return a copy for the next night, to be changed."""
        return NightState(
            night=self.night + 1,
            portfolio=self.portfolio,
            absent=set(self.absent),
            relationships=dict(self.relationships),
            statuses=dict(self.statuses),
            registrations=dict(self.registrations),
            skus_out=dict(self.skus_out),
            products_out=dict(self.products_out),
            restrictions=dict(self.restrictions),
            licences=dict(self.licences),
            outages=dict(self.outages),
        )

    def customers(self, partner_tenant_id: str) -> Iterator[Customer]:
        for customer in self.portfolio.customers_of[partner_tenant_id]:
            if customer.customer_id not in self.absent:
                yield customer

    def relationship(self, customer: Customer) -> str:
        return self.relationships.get(customer.customer_id, customer.relationship)

    def is_sold_to(self, customer: Customer) -> bool:
        """Tell whether the partner has a commerce relationship with the customer."""
        return customer.customer_id not in self.absent and self.relationship(customer) == "reseller"

    def commerce(self, customer: Customer) -> Iterator[CommerceSubscription]:
        for held in customer.subscriptions:
            if held.commerce_subscription_id not in self.absent:
                yield held

    def status(self, held: CommerceSubscription) -> str:
        return self.statuses.get(held.commerce_subscription_id, held.status)

    def registration(self, plan: CommerceSubscription) -> str:
        return self.registrations.get(plan.commerce_subscription_id, plan.registration)

    def azure(self, plan: CommerceSubscription) -> Iterator[AzureSubscription]:
        for azure in plan.azure_subscriptions:
            if azure.azure_subscription_id not in self.absent:
                yield azure

    def azure_status(self, azure: AzureSubscription) -> str:
        return self.statuses.get(azure.azure_subscription_id, azure.status)

    def is_listed(self, sku: Sku, country: str, reservation_scope: str) -> bool:
        """Tell whether the SKU is in the catalog of the country and scope."""
        if sku.key in self.skus_out or sku.product_id in self.products_out:
            return False
        if country in sku.not_sold_in:
            return False
        kind = self.portfolio.product_by_id[sku.product_id].kind
        if kind not in {"vm", "cosmos"}:
            return True
        return country not in MARKETS_WITHOUT_RESERVATIONS and reservation_scope in sku.scopes

    def licence(self, customer_id: str, country: str, key: SkuKey) -> LicenceState:
        """Return how the SKU differs for a customer; with customer id `''`, for the country."""
        of_country = self.licences.get((country, key), UNCHANGED)
        of_customer = self.licences.get((customer_id, key), UNCHANGED) if customer_id else UNCHANGED
        return of_customer.combined_with(of_country)

    def audited_azure(self) -> Iterator[tuple[Customer, AzureSubscription]]:
        """Yield the Azure subscriptions that a run with the default scope checks."""
        for partner in self.portfolio.partners:
            for customer in self.customers(partner.partner_tenant_id):
                if not self.is_sold_to(customer) or customer.country not in partner.countries:
                    continue
                if customer.country in MARKETS_WITHOUT_RESERVATIONS:
                    continue
                for plan in self.commerce(customer):
                    if not self._may_reserve(plan):
                        continue
                    for azure in self.azure(plan):
                        if self.azure_status(azure) == "active":
                            yield customer, azure

    def _may_reserve(self, plan: CommerceSubscription) -> bool:
        return (
            plan.kind == "azure_plan"
            and self.status(plan) == "active"
            and self.registration(plan) == "Registered"
            and AZURE_PLAN in {azure.reservation_scope for azure in plan.azure_subscriptions}
        )

    def held_licences(self) -> Iterator[tuple[Customer, SkuKey]]:
        """Yield, once, each licence SKU that a customer holds with an active subscription."""
        for partner in self.portfolio.partners:
            for customer in self.customers(partner.partner_tenant_id):
                if not self.is_sold_to(customer):
                    continue
                keys = {
                    (held.product_id, held.sku_id): None
                    for held in self.commerce(customer)
                    if held.kind == "licence" and self.status(held) == "active"
                }
                for key in keys:
                    yield customer, key
