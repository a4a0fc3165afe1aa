"""Turns Partner Center's replies into the values of `model`. Pure.

GUIDs come in mixed letter case, even inside one reply. So GUIDs and regions are lower-cased here,
and countries are upper-cased. Product and SKU ids are text and stay as they came.
"""

import math
import re
from datetime import UTC, datetime

from auditor.model import AzureSubscription, CommerceSubscription, Customer, Sku
from auditor.partner_center import wire
from auditor.scope.offers import LEGACY_AZURE

_YEARS = range(1900, 2999)
"""An end date in another year means "never" (seen: 9999-12-14) or "not set" (0001-01-01)."""
_DURATION = re.compile(r"(\d{1,3})(Year|Month|Day)s?", re.IGNORECASE)


def customer(partner_tenant_id: str, read: wire.Customer, country: str = "") -> Customer:
    """Return a customer; `country` is used if the reply has none, as in a list."""
    profile = read.company_profile
    return Customer(
        partner_tenant_id=partner_tenant_id,
        customer_id=read.id.lower(),
        company_name=profile.company_name,
        domain=profile.domain,
        country=(read.country or country).upper(),
        relationship=read.relationship_to_partner.lower(),
        reseller_id=read.reseller_id,
    )


def commerce_subscription(
    partner_tenant_id: str, customer_id: str, read: wire.Subscription
) -> CommerceSubscription:
    """Return a commerce subscription. An offer id of three parts gives its product and SKU."""
    product_id, sku_id = _offer(read.offer_id)
    scheduled = read.scheduled_next_term_instructions
    ended = read.status.lower() in {"deleted", "expired"}
    renews = not ended and (bool(read.auto_renew_enabled) or scheduled is not None)
    next_product_id, next_sku_id = (product_id, sku_id) if renews else ("", "")
    next_term = (read.renewal_term_duration or read.term_duration) if renews else ""
    if renews and scheduled is not None and scheduled.product.product_id:
        next_product_id, next_sku_id = scheduled.product.product_id, scheduled.product.sku_id
        next_term = scheduled.product.term_duration or next_term
    return CommerceSubscription(
        partner_tenant_id=partner_tenant_id,
        customer_id=customer_id,
        commerce_subscription_id=read.id.lower(),
        product_id=product_id,
        sku_id=sku_id,
        offer_id=read.offer_id,
        offer_name=read.offer_name or read.friendly_name,
        quantity=read.quantity,
        status=read.status.lower(),
        term_duration=read.term_duration,
        billing_cycle=read.billing_cycle.lower(),
        term_ends_at=_term_end(read.commitment_end_date),
        # Without auto-renew, a paid extended term may follow: the real end is then unknown.
        end_action="ends" if ended else "renew" if renews else "unknown",
        next_product_id=next_product_id,
        next_sku_id=next_sku_id,
        next_term_duration=next_term,
        reseller_id=read.partner_id,
        product_type=read.product_type.id,
    )


def azure_subscription(
    plan: CommerceSubscription, read: wire.AzureEntitlement, registration_status: str
) -> AzureSubscription:
    """Return an Azure subscription under an Azure plan."""
    return AzureSubscription(
        partner_tenant_id=plan.partner_tenant_id,
        customer_id=plan.customer_id,
        azure_subscription_id=read.id.lower(),
        plan_id=plan.commerce_subscription_id,
        friendly_name=read.friendly_name,
        status=read.status.lower(),
        registration_status=registration_status,
        reseller_id=plan.reseller_id,
    )


def legacy_azure_subscription(
    held: CommerceSubscription, read: wire.Subscription
) -> AzureSubscription | None:
    """Return the Azure subscription of a legacy Azure offer; None for other offers."""
    if held.offer_id.upper() != LEGACY_AZURE:
        return None
    return AzureSubscription(
        partner_tenant_id=held.partner_tenant_id,
        customer_id=held.customer_id,
        azure_subscription_id=(read.entitlement_id or read.id).lower(),
        plan_id=held.commerce_subscription_id,
        friendly_name=read.friendly_name,
        status=held.status,
        registration_status="",
        reseller_id=held.reseller_id,
    )


def sku(
    partner_tenant_id: str, country: str, reservation_scope: str, title: str, read: wire.Sku
) -> Sku:
    """Return a catalog SKU; the value of an unreadable dynamic attribute is empty."""
    region_name = _text(read, "armRegionName")
    return Sku(
        partner_tenant_id=partner_tenant_id,
        country=country,
        reservation_scope=reservation_scope,
        product_id=read.product_id,
        sku_id=read.id,
        product_title=title,
        title=read.title,
        arm_sku_name=_text(read, "armSkuName"),
        region=region_name.lower(),
        region_name=_text(read, "region"),
        category=_text(read, "category"),
        cores=_whole(_text(read, "cores") or _text(read, "vCpu")),
        ram_gb=_number(_text(read, "ram")),
        term_duration=_iso_duration(_text(read, "duration")),
        flexibility_group=_text(read, "reservationsAutofitGroup"),
        flexibility_ratio=_text(read, "reservationsAutofitRatio"),
        inventory_variables=_joined(read.inventory_variables),
        purchase_prerequisites=_joined(read.purchase_prerequisites),
        arm_region_name=region_name,
    )


def _offer(offer_id: str) -> tuple[str, str]:
    parts = offer_id.split(":")
    return (parts[0], parts[1]) if len(parts) == 3 else ("", "")  # noqa: PLR2004 - PRODUCT:SKU:ID


def _term_end(text: str) -> datetime | None:
    try:
        end = datetime.fromisoformat(text)
    except ValueError:
        return None
    if end.year not in _YEARS:
        return None
    return end.astimezone(UTC) if end.tzinfo else end.replace(tzinfo=UTC)


def _text(read: wire.Sku, name: str) -> str:
    value = read.dynamic_attributes.get(name)
    return "" if value is None or isinstance(value, (bool, list, dict)) else str(value)


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004 - cores


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _iso_duration(text: str) -> str:
    """Return `P3Y` for the catalog's `3Years`; return an ISO duration unchanged."""
    match = _DURATION.fullmatch(text)
    return f"P{match[1]}{match[2][0].upper()}" if match else text


def _joined(names: tuple[str, ...]) -> str:
    return ";".join(sorted(set(names)))
