"""The resources as JSON, with the field names and oddities of documents and recorded replies."""

from collections.abc import Mapping

import msgspec

from auditor.sandbox.world import seeded
from auditor.sandbox.world.model import (
    Availability,
    AvailableTerm,
    AzureSubscription,
    CommerceSubscription,
    Customer,
    Product,
    Restriction,
    Sku,
    SkuKey,
)
from auditor.sandbox.world.places import COUNTRIES
from auditor.sandbox.world.state import NightState

Json = dict[str, object]

CYCLES = {"OneTime": "one_time", "Annual": "annual", "Monthly": "monthly", "Triennial": "triennial"}


def link(uri: str) -> Json:
    return {"uri": uri, "method": "GET", "headers": []}


def id_in_reply(state: NightState, text: str, *about: object) -> str:
    """Return an id in lower or upper case; the case varies even within one reply."""
    return seeded.cased(state.portfolio.seed, text, state.night, *about)


def customer_item(state: NightState, customer: Customer) -> Json:
    """Return a customer as in a list, which has no addresses."""
    item: Json = {
        "id": id_in_reply(state, customer.customer_id, "id"),
        "companyProfile": {
            "tenantId": id_in_reply(state, customer.customer_id, "tenant"),
            "domain": customer.domain,
            "companyName": customer.company_name,
            "attributes": {"objectType": "CustomerCompanyProfile"},
        },
        "relationshipToPartner": state.relationship(customer),
        "links": {"self": link(f"/customers/{customer.customer_id}")},
        "attributes": {"objectType": "Customer"},
    }
    if customer.reseller_id:
        item["associatedPartnerId"] = customer.reseller_id
    return item


def customer_detail(state: NightState, customer: Customer) -> Json:
    place = COUNTRIES[customer.country]
    seed = state.portfolio.seed
    street = seeded.number(seed, "street", customer.customer_id) % 200 + 1
    is_lower = seeded.number(seed, "country case", customer.customer_id) % 20 == 0
    address: Json = {
        "country": customer.country.lower() if is_lower else customer.country,
        "city": place.city,
        "addressLine1": f"{street} Main Street",
        "postalCode": place.postal_code,
    }
    if place.state:
        address["state"] = place.state
    return {
        **customer_item(state, customer),
        "billingProfile": {
            "id": seeded.guid(seed, "billing", customer.customer_id),
            "email": f"billing@{customer.domain}",
            "culture": place.culture,
            "language": place.culture[:2],
            "companyName": customer.company_name,
            "defaultAddress": address,
            "attributes": {"objectType": "CustomerBillingProfile"},
        },
    }


_PRODUCT_TYPES = {
    "azure_plan": {"id": "Azure", "displayName": "Azure"},
    "azure_legacy": {"id": "Azure", "displayName": "Azure"},
    "licence": {"id": "OnlineServicesNCE", "displayName": "OnlineServicesNCE"},
}


def subscription(state: NightState, customer: Customer, held: CommerceSubscription) -> Json:
    seed, held_id = state.portfolio.seed, held.commerce_subscription_id
    is_usage = held.kind.startswith("azure")
    item: Json = {
        "id": id_in_reply(state, held_id, "id"),
        "offerId": held.offer_id,
        "entitlementId": id_in_reply(state, held_id, "entitlement"),
        "offerName": held.offer_name,
        "friendlyName": held.offer_name,
        "quantity": held.quantity,
        "unitType": "Usage-based" if is_usage else "Licenses",
        "hasPurchasableAddons": False,
        "creationDate": f"{held.created}T17:08:20.71Z",
        "effectiveStartDate": f"{held.created}T00:00:00Z",
        "commitmentEndDate": f"{held.commitment_end}T00:00:00Z",
        "status": state.status(held),
        "autoRenewEnabled": held.auto_renew,
        "isTrial": False,
        "billingType": "usage" if is_usage else "license",
        "billingCycle": held.billing_cycle,
        "actions": ["Cancel", "Edit"],
        "attentionNeeded": False,
        "actionTaken": False,
        "contractType": "subscription",
        "isMicrosoftProduct": True,
        "links": {
            "offer": link(f"/offers/{held.offer_id}?country={customer.country}"),
            "self": link(f"/customers/{customer.customer_id}/subscriptions/{held_id}"),
        },
        "orderId": seeded.guid(seed, "order", held_id),
        "attributes": {"etag": "removed", "objectType": "Subscription"},
    }
    if held.kind in _PRODUCT_TYPES:
        item["productType"] = _PRODUCT_TYPES[held.kind]
    elif seeded.number(seed, "no offer id", held_id) % 4 == 0:
        del item["offerId"]  # as in the oldest samples
    if held.term_duration:
        item["termDuration"] = held.term_duration
        item["renewalTermDuration"] = held.term_duration
    if held.next_product is not None:
        item["scheduledNextTermInstructions"] = {
            "product": held.next_product,
            "quantity": held.quantity,
        }
    if held.reseller_id:
        item["partnerId"] = held.reseller_id
    return item


def entitlement(state: NightState, azure: AzureSubscription) -> Json:
    return {
        "id": id_in_reply(state, azure.azure_subscription_id, "id"),
        "friendlyName": azure.friendly_name,
        "status": state.azure_status(azure),
        "subscriptionId": id_in_reply(state, azure.commerce_subscription_id, "plan"),
    }


def product(one: Product, country: str) -> Json:
    query = f"?country={country}"
    return {
        "id": one.product_id,
        "title": one.title,
        "description": f"{one.title}.",
        "productType": {"id": one.type_id, "displayName": one.type_id},
        "isMicrosoftProduct": True,
        "publisherName": "Microsoft Corporation",
        "links": {
            "skus": link(f"/products/{one.product_id}/skus{query}"),
            "self": link(f"/products/{one.product_id}{query}"),
        },
    }


def sku(one: Sku, country: str) -> Json:
    path = f"/products/{one.product_id}/skus/{one.sku_id}"
    is_reservation = bool(one.arm_region)
    cycles = dict.fromkeys(CYCLES[term.billing_cycle] for term in one.terms)
    item: Json = {
        "id": one.sku_id,
        "productId": one.product_id,
        "title": one.title,
        "description": one.description,
        "minimumQuantity": 1,
        "maximumQuantity": 999_999_999 if is_reservation else 300,
        "isTrial": False,
        "supportedBillingCycles": list(cycles) or ["one_time"],
        "purchasePrerequisites": one.prerequisites,
        "inventoryVariables": [name for name in one.variables if name not in one.unnamed],
        "provisioningVariables": ["Scope", "SubscriptionId"] if is_reservation else [],
        "dynamicAttributes": one.attributes,
        "links": {
            "availabilities": link(f"{path}/availabilities?country={country}"),
            "self": link(f"{path}?country={country}"),
        },
    }
    if not is_reservation:
        item["actions"] = ["Refund"]
    return item


def availability(one: Availability, *, with_life_cycle: bool) -> Json:
    path = f"/products/{one.product_id}/skus/{one.sku_id}/availabilities/{one.availability_id}"
    item: Json = {
        "id": one.availability_id,
        "productId": one.product_id,
        "skuId": one.sku_id,
        "catalogItemId": one.catalog_item_id,
        "defaultCurrency": {"code": one.currency, "symbol": one.symbol},
        "segment": one.segment,
        "country": one.country,
        "isPurchasable": one.is_purchasable,
        "isRenewable": one.is_renewable,
        "renewalInstructions": _renewals(one),
        "terms": [_term(term) for term in one.terms],
        "links": {"self": link(f"{path}?country={one.country}")},
    }
    if with_life_cycle:
        # The documents say that a field is added but not its name; this name is the sandbox's.
        item["lifeCycleState"] = "GenerallyAvailable" if one.is_purchasable else "EndOfSale"
    return item


def _renewals(one: Availability) -> list[Json]:
    by_target: dict[tuple[str, ...], list[str]] = {}
    for term in one.terms:
        if term.renew_to:
            by_target.setdefault(term.renew_to, []).append(term.term_id)
    return [
        {
            "applicableTermIds": term_ids,
            "renewalOptions": [
                {"renewToId": target, "isAutoRenewable": True} for target in targets
            ],
        }
        for targets, term_ids in by_target.items()
    ]


def _term(term: AvailableTerm) -> Json:
    refund = {"sequenceId": 0, "type": "Full", "expiresAfter": "P1D"}
    return {
        "id": term.term_id,
        "duration": term.duration,
        "description": term.description,
        "billingCycle": term.billing_cycle,
        "cancellationPolicies": [{"refundOptions": [refund]}],
    }


def unrestricted(key: SkuKey, *, with_empty_list: bool) -> bytes:
    """Return an encoded inventory item; some replies leave out the empty restriction list."""
    item: Json = {"productId": key[0], "skuId": key[1], "isRestricted": False}
    return msgspec.json.encode({**item, "restrictions": []} if with_empty_list else item)


def restricted(
    state: NightState, azure_id: str, key: SkuKey, why: tuple[Restriction, ...]
) -> bytes:
    """Return an encoded inventory item. Order and letter case of values vary without meaning."""
    lot = seeded.number(state.portfolio.seed, "spelling", azure_id, *key, state.night)
    shown = [_restriction(one, lot) for one in why]
    if lot & 64:
        shown.reverse()
    return msgspec.json.encode(
        {"productId": key[0], "skuId": key[1], "isRestricted": True, "restrictions": shown}
    )


def _restriction(one: Restriction, lot: int) -> Json:
    values = list(reversed(one.values)) if lot & 1 else list(one.values)
    match (lot >> 1) % 8:
        case 0:
            values = [value.upper() for value in values]
        case 1:
            values = [value.capitalize() for value in values]
        case _:
            pass
    text = (", " if lot & 16 and lot & 32 else ",").join(values)
    properties: Mapping[str, str] = {"type": "Location", "values": text, **dict(one.extra)}
    return {
        "reasonCode": one.reason_code,
        "description": f"Restriction identified of type 'Location' with values '{text}'.",
        "properties": properties,
    }


def country_rules(code: str) -> Json:
    place = COUNTRIES[code]
    return {
        "iso2Code": code,
        "defaultCulture": place.culture,
        "isStateRequired": bool(place.state),
        "supportedStatesList": [place.state] if place.state else [],
        "supportedLanguagesList": [place.culture[:2]],
        "supportedCulturesList": [place.culture],
        "isPostalCodeRequired": True,
        "isCityRequired": True,
        "isVatIdSupported": place.currency == "EUR",
        "isTaxIdSupported": True,
        "isTaxIdOptional": True,
        "countryCallingCodesList": [place.calling_code],
        "attributes": {"objectType": "CountryValidationRules"},
    }
