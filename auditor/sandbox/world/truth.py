"""The truth: the rows that a complete and correct audit finds."""

from collections.abc import Callable, Iterator
from typing import TypedDict

from auditor.sandbox.world.model import AZURE_PLAN, Availability, Customer, Restriction, Sku, SkuKey
from auditor.sandbox.world.offers import customer_offers
from auditor.sandbox.world.state import NightState

StateOf = Callable[[int], NightState]


class InventoryRow(TypedDict):
    """One inventory key and its verdict."""

    partner_tenant_id: str
    customer_id: str
    country: str
    azure_subscription_id: str
    arm_region: str
    reservation_scope: str
    product_id: str
    sku_id: str
    verdict: str
    reason_codes: str
    restriction_values: str


class AvailabilityRow(TypedDict):
    """One term of one availability of one held licence, and its verdict."""

    partner_tenant_id: str
    customer_id: str
    country: str
    product_id: str
    sku_id: str
    segment: str
    reservation_scope: str
    term_duration: str
    billing_cycle: str
    verdict: str
    is_renewable: bool
    renew_to: str
    currency: str
    market: str


def inventory_rows(state_of: StateOf, night: int, since: int | None) -> Iterator[InventoryRow]:
    """Yield the inventory of a night; see `World.inventory_truth`."""
    state = state_of(night)
    listed = _ListedSkus(state)
    remembered = _EarlierNights(state_of, since, night)
    for customer, azure in state.audited_azure():
        azure_id = azure.azure_subscription_id
        known = state.restrictions.get(azure_id, {})
        for sku in listed.of(customer.country):
            found = known.get(sku.key, ())
            yield _inventory_row(customer, azure_id, sku, found)
        for sku in remembered.left_skus(customer, azure_id):
            yield _inventory_row(customer, azure_id, sku, None)


def _inventory_row(
    customer: Customer, azure_id: str, sku: Sku, found: tuple[Restriction, ...] | None
) -> InventoryRow:
    verdict, codes, values = "unrestricted", "", ""
    if found is None:
        verdict = "not_in_catalog"
    elif found:
        verdict = "restricted"
        codes = ";".join(sorted({one.reason_code for one in found}))
        values = ";".join(sorted({value for one in found for value in one.values}))
    return {
        "partner_tenant_id": customer.partner_tenant_id,
        "customer_id": customer.customer_id,
        "country": customer.country,
        "azure_subscription_id": azure_id,
        "arm_region": sku.arm_region if sku.asks_region else "",
        "reservation_scope": AZURE_PLAN,
        "product_id": sku.product_id,
        "sku_id": sku.sku_id,
        "verdict": verdict,
        "reason_codes": codes,
        "restriction_values": values,
    }


class _ListedSkus:
    """The VM SKUs of one night that ask for a check, by country."""

    def __init__(self, state: NightState) -> None:
        self._state = state
        self._by_country: dict[str, list[Sku]] = {}

    def of(self, country: str) -> list[Sku]:
        if country not in self._by_country:
            self._by_country[country] = [
                sku
                for product in self._state.portfolio.products
                if product.kind == "vm"
                for sku in product.skus
                if sku.asks_inventory and self._state.is_listed(sku, country, AZURE_PLAN)
            ]
        return self._by_country[country]


class _EarlierNights:
    """The SKUs listed on earlier nights, back to the last night without the Azure subscription."""

    def __init__(self, state_of: StateOf, since: int | None, night: int) -> None:
        self._tonight = _ListedSkus(state_of(night))
        self._earlier: list[tuple[_ListedSkus, set[str]]] = []
        for past in range(night - 1, (night if since is None else since) - 1, -1):
            state = state_of(past)
            audited = {azure.azure_subscription_id for _, azure in state.audited_azure()}
            self._earlier.append((_ListedSkus(state), audited))

    def left_skus(self, customer: Customer, azure_id: str) -> list[Sku]:
        left: dict[SkuKey, Sku] = {}
        for listed, audited in self._earlier:
            if azure_id not in audited:
                break
            left.update({sku.key: sku for sku in listed.of(customer.country)})
        for sku in self._tonight.of(customer.country) if left else ():
            left.pop(sku.key, None)
        return [left[key] for key in sorted(left)]


def availability_rows(
    state_of: StateOf, night: int, since: int | None
) -> Iterator[AvailabilityRow]:
    """Yield the availabilities of a night; see `World.availability_truth`."""
    state = state_of(night)
    nights = range(night - 1, (night if since is None else since) - 1, -1)
    earlier = [(past, _held(past)) for past in map(state_of, nights)]
    for customer, key in state.held_licences():
        sku = state.portfolio.sku_by_key[key]
        now = customer_offers(state, customer, sku)
        tonight = {(o.segment, *term_key): None for o in now or () for term_key in _terms(o)}
        for offer in now or ():
            yield from _offer_rows(customer, offer)
        known: dict[tuple[str, str, str], None] = {}
        for past, held in earlier:
            if (customer.customer_id, key) not in held:
                break
            for offer in customer_offers(past, customer, sku) or ():
                known.update({(offer.segment, *term_key): None for term_key in _terms(offer)})
        gone = [one for one in known if one not in tonight]
        if now is None and not gone:
            gone = [("", "", "")]
        for segment, duration, cycle in gone:
            yield _gone_row(customer, key, segment, duration, cycle)


def _held(state: NightState) -> set[tuple[str, SkuKey]]:
    return {(customer.customer_id, key) for customer, key in state.held_licences()}


def _terms(offer: Availability) -> list[tuple[str, str]]:
    return [(term.duration, term.billing_cycle) for term in offer.terms]


def _offer_rows(customer: Customer, offer: Availability) -> Iterator[AvailabilityRow]:
    for term in offer.terms:
        yield {
            "partner_tenant_id": customer.partner_tenant_id,
            "customer_id": customer.customer_id,
            "country": "",
            "product_id": offer.product_id,
            "sku_id": offer.sku_id,
            "segment": offer.segment,
            "reservation_scope": "",
            "term_duration": term.duration,
            "billing_cycle": term.billing_cycle,
            "verdict": "purchasable" if offer.is_purchasable else "not_purchasable",
            "is_renewable": offer.is_renewable,
            "renew_to": ";".join(sorted(set(term.renew_to))),
            "currency": offer.currency,
            "market": offer.country,
        }


def _gone_row(
    customer: Customer, key: SkuKey, segment: str, duration: str, cycle: str
) -> AvailabilityRow:
    return {
        "partner_tenant_id": customer.partner_tenant_id,
        "customer_id": customer.customer_id,
        "country": "",
        "product_id": key[0],
        "sku_id": key[1],
        "segment": segment,
        "reservation_scope": "",
        "term_duration": duration,
        "billing_cycle": cycle,
        "verdict": "not_in_catalog",
        "is_renewable": False,
        "renew_to": "",
        "currency": "",
        "market": "",
    }
