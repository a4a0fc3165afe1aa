"""The made-up world behind the sandbox, and the truth that tests compare an audit with.

Everything follows from the seed. Only `night`, the server's current night, can be set.
Methods take a night; the default is the current one.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from auditor.sandbox.world.model import (
    Answer,
    Availability,
    AzureSubscription,
    CommerceSubscription,
    Customer,
    Partner,
    Product,
    Sku,
    WorldSize,
)
from auditor.sandbox.world.night_builder import Event
from auditor.sandbox.world.nights import first_night, next_night
from auditor.sandbox.world.offers import country_offers, customer_offers
from auditor.sandbox.world.portfolio import Portfolio
from auditor.sandbox.world.state import NightState
from auditor.sandbox.world.truth import (
    AvailabilityRow,
    InventoryRow,
    availability_rows,
    inventory_rows,
)

FIRST_DAY = date(2026, 11, 21)
"""The default day that term ends are counted from."""


class World:
    """Partners, their customers and the catalog on any night, from 1 on.

    Ids are accepted in any letter case and returned in lower case. An id that exists on no night
    raises `LookupError`; an id that only exists on other nights gives an empty result.
    """

    def __init__(self, seed: int, size: WorldSize | None = None, today: date = FIRST_DAY) -> None:
        self.seed = seed
        self.size = size or WorldSize()
        self.portfolio = Portfolio(seed, self.size, today)
        self._night = 1
        self._states: list[NightState] = [first_night(self.portfolio)]
        self._events: list[tuple[Event, ...]] = [()]

    @property
    def night(self) -> int:
        return self._night

    @night.setter
    def night(self, night: int) -> None:
        if night < 1:
            message = f"nights are counted from 1, not from {night}"
            raise ValueError(message)
        self._night = night

    def state(self, night: int | None = None) -> NightState:
        """Return how a night differs from the portfolio; for the server and for tests."""
        wanted = self._night if night is None else night
        if wanted < 1:
            message = f"nights are counted from 1, not from {wanted}"
            raise ValueError(message)
        while len(self._states) < wanted:
            state, events = next_night(self._states[-1])
            self._states.append(state)
            self._events.append(events)
        return self._states[wanted - 1]

    def events(self, night: int) -> tuple[Event, ...]:
        """Return the changes between the night before and this one."""
        self.state(night)
        return self._events[night - 1]

    def partners(self) -> tuple[Partner, ...]:
        return self.portfolio.partners

    def partner(self, partner_tenant_id: str) -> Partner:
        return self.portfolio.partner_by_id[partner_tenant_id.lower()]

    def customers(self, partner: Partner | str, night: int | None = None) -> tuple[Customer, ...]:
        """Return the partner's customers of a night, with that night's relationship."""
        tenant = partner if isinstance(partner, str) else partner.partner_tenant_id
        state = self.state(night)
        return tuple(
            replace(one, relationship=state.relationship(one))
            for one in state.customers(tenant.lower())
        )

    def commerce_subscriptions(
        self, customer_id: str, night: int | None = None
    ) -> tuple[CommerceSubscription, ...]:
        """Return a customer's subscriptions, with status and registration of the night."""
        state = self.state(night)
        customer = self.portfolio.customer_by_id[customer_id.lower()]
        return tuple(
            replace(held, status=state.status(held), registration=state.registration(held))
            for held in state.commerce(customer)
        )

    def azure_subscriptions(
        self, customer_id: str, night: int | None = None
    ) -> tuple[AzureSubscription, ...]:
        """Return a customer's Azure subscriptions of a night, including legacy ones."""
        state = self.state(night)
        customer = self.portfolio.customer_by_id[customer_id.lower()]
        return tuple(
            replace(azure, status=state.azure_status(azure))
            for held in state.commerce(customer)
            for azure in state.azure(held)
        )

    def products(
        self, night: int, country: str, target_view: str, reservation_scope: str = ""
    ) -> tuple[Product, ...]:
        """Return the products of a listing: those with a SKU in the catalog."""
        state = self.state(night)
        return tuple(
            product
            for product in self.portfolio.products
            if target_view in product.views
            and any(state.is_listed(sku, country, reservation_scope) for sku in product.skus)
        )

    def skus(
        self,
        night: int,
        partner_tenant_id: str,
        country: str,
        reservation_scope: str,
        target_view: str = "AzureReservationsVM",
    ) -> tuple[Sku, ...]:
        """Return the SKUs in the catalog of a country and scope, in the order of the products.

        The catalog is the same for all partners; an unknown partner is a `LookupError`.
        """
        self.partner(partner_tenant_id)
        state = self.state(night)
        return tuple(
            sku
            for product in self.products(night, country, target_view, reservation_scope)
            for sku in product.skus
            if state.is_listed(sku, country, reservation_scope)
        )

    def inventory_answer(  # noqa: PLR0917 - in the order of the key's columns
        self,
        night: int,
        partner_tenant_id: str,
        country: str,
        customer_id: str,
        azure_subscription_id: str,
        arm_region: str,
        product_id: str,
        sku_id: str,
    ) -> Answer | None:
        """Return the inventory answer for one SKU in one context.

        `None`: the SKU is not in the catalog of this context, so a reply leaves it out. This
        includes a SKU that needs a region and gets another region than its own. It is not checked
        whether the API accepts the customer and the subscription on that night.
        """
        self.partner(partner_tenant_id)
        azure = self.portfolio.azure_by_id[azure_subscription_id.lower()]
        if azure.customer_id != customer_id.lower():
            raise LookupError(azure_subscription_id)
        sku = self.portfolio.sku_by_key.get((product_id, sku_id))
        if sku is None:
            return None
        return answer_for(self.state(night), azure, country, arm_region, sku)

    def availabilities(  # noqa: PLR0917 - in the order of the key's columns
        self,
        night: int,
        partner_tenant_id: str,
        customer_id: str | None,
        country: str,
        product_id: str,
        sku_id: str,
        *,
        target_segment: str = "",
        reservation_scope: str = "AzurePlan",
    ) -> tuple[Availability, ...] | None:
        """Return the availabilities of a SKU; `None` if the API answers 404.

        With a customer, the customer's own country replaces `country`. Without a customer,
        `target_segment` selects the segment; by default all but nonprofit.
        """
        self.partner(partner_tenant_id)
        state = self.state(night)
        sku = self.portfolio.sku_by_key.get((product_id, sku_id))
        if sku is None:
            return None
        if customer_id is None:
            if not state.is_listed(sku, country, reservation_scope):
                return None
            return country_offers(state, country, sku, target_segment)
        customer = self.portfolio.customer_by_id[customer_id.lower()]
        if not state.is_listed(sku, customer.country, reservation_scope):
            return None
        return customer_offers(state, customer, sku)

    def inventory_truth(self, night: int, since: int | None = None) -> Iterator[InventoryRow]:
        """Yield a row for every key that an audit with the default scope checks on a night.

        Keys: reseller customers whose billing country is one of the partner's and has
        reservations; active Azure subscriptions of active, registered Azure plans; SKUs of the
        view AzureReservationsVM, scope AzurePlan, that are listed on that night and ask for an
        inventory check. A listed SKU that this customer's replies leave out is `not_in_catalog`.

        `since` is the first of the nights that were all audited. It adds a `not_in_catalog` row
        for each SKU that was listed on one of these nights and is no longer, if the Azure
        subscription was audited on every night in between.
        """
        return inventory_rows(self.state, night, since)

    def availability_truth(self, night: int, since: int | None = None) -> Iterator[AvailabilityRow]:
        """Yield a row for every term of every licence of an active subscription on a night.

        A SKU that the API does not find for the customer has one `not_in_catalog` row with `''`
        as segment, term and cycle. Two rows may have the same key: some SKUs are offered twice.

        `since` is the first of the nights that were all audited. A term known from these nights
        and no longer listed is then a `not_in_catalog` row; such rows replace the `''` row.
        """
        return availability_rows(self.state, night, since)


def answer_for(
    state: NightState, azure: AzureSubscription, country: str, arm_region: str, sku: Sku
) -> Answer | None:
    """Return the inventory answer for a SKU; `None` if it is not in this context's catalog."""
    if not state.is_listed(sku, country, azure.reservation_scope):
        return None
    if sku.asks_region and arm_region.lower() != sku.arm_region:
        return None
    found = state.restrictions.get(azure.azure_subscription_id, {}).get(sku.key, ())
    if found is None:
        return None
    return Answer(sku.product_id, sku.sku_id, found if sku.asks_inventory else ())
