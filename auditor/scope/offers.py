"""Classifies commerce subscriptions, mostly by offer id (docs/partner-center.md). Pure."""

from collections.abc import Iterable

import msgspec

from auditor.model import CommerceSubscription, Sku

LEGACY_AZURE = "MS-AZR-0145P"
"""The legacy Azure offer: its entitlement is the Azure subscription, its catalog has no scope."""
AZURE_PLAN = "DZH318Z0BPS6"
"""The product of every Azure plan (Microsoft Learn, "availabilities for a SKU (by customer)")."""
AZURE_PLAN_SCOPE = "AzurePlan"
LICENCE_TYPE = "onlineservicesnce"
"""Product type of new-commerce licences, lower case."""
INVENTORY_CHECK = "InventoryCheck"


def is_reservation(sku: Sku) -> bool:
    """Return True if a SKU is a reservation: an inventory check must precede its purchase."""
    return INVENTORY_CHECK in sku.purchase_prerequisites.split(";")


def is_active(status: str) -> bool:
    """Return True if a subscription is active, or has no status."""
    return status.lower() in {"", "active"}


def is_licence(held: CommerceSubscription) -> bool:
    """Return True if a subscription is a new-commerce licence, with product and SKU."""
    is_licence_type = held.product_type.lower() in {"", LICENCE_TYPE}
    return bool(held.sku_id) and held.product_id != AZURE_PLAN and is_licence_type


def licences(held: Iterable[CommerceSubscription]) -> frozenset[tuple[str, str]]:
    """Return product and SKU of each active new-commerce licence."""
    return frozenset(
        (h.product_id, h.sku_id) for h in held if is_licence(h) and is_active(h.status)
    )


def is_other_by_type(held: CommerceSubscription) -> bool:
    """True if only the product type shows that this is not a licence."""
    return not is_licence(held) and is_licence(msgspec.structs.replace(held, product_type=""))


def is_legacy_licence(held: CommerceSubscription) -> bool:
    """Return True for a licence whose offer names no product, so that it cannot be checked."""
    return not held.sku_id and held.offer_id.upper() != LEGACY_AZURE


def scope_of(plan: CommerceSubscription | None) -> str:
    """Return the reservation scope in which an Azure subscription buys, from its plan."""
    is_legacy = plan is not None and plan.offer_id.upper() == LEGACY_AZURE
    return "" if is_legacy else AZURE_PLAN_SCOPE


REGISTERED = "registered"

REGISTRATION_UNKNOWN = "unknown"
"""The registration status of a plan whose registration could not be read."""
