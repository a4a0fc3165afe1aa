"""Builds the findings of discovery: customers, Azure subscriptions, licences, catalogs."""

from collections.abc import Iterable

from auditor.model import AzureSubscription, CommerceSubscription, Customer, Sku
from auditor.plan.rules import Rules
from auditor.scope.found import CatalogFound, CustomerFound
from auditor.scope.offers import AZURE_PLAN

P = "aaaaaaaa-0000-0000-0000-000000000001"
ACME = "11111111-0000-0000-0000-000000000001"
BOTH = "AzureSubscriptionId;CustomerId"
VIEW = "AzureReservationsVM"


def rules(**given: object) -> Rules:
    """Return the rules of the default configuration, for a partner in two countries."""
    plain: dict[str, object] = {
        "partner_tenant_id": P,
        "countries": frozenset({"DE", "FR", "BR"}),
        "checks": frozenset({"inventory", "availability"}),
        "batch_size": 50,
        "reservation_scopes": ("AzurePlan",),
        "arm_regions": None,
        "azure_subscriptions": None,
        "check_registration": True,
        "segments": ("commercial",),
        "availability": "held",
        "availability_always": (),
    }
    return Rules(**{**plain, **given})  # type: ignore[arg-type] # a test names what it needs


def sku(
    sku_id: str = "0001",
    product_id: str = "DZH1",
    *,
    variables: str = BOTH,
    region: str = "westeurope",
    country: str = "DE",
    scope: str = "AzurePlan",
    prerequisites: str = "InventoryCheck",
) -> Sku:
    return Sku(
        partner_tenant_id=P,
        country=country,
        reservation_scope=scope,
        product_id=product_id,
        sku_id=sku_id,
        product_title=f"Title of {product_id}",
        title=f"Title of {sku_id}",
        arm_sku_name="Standard_D4s_v5",
        region=region.lower(),
        region_name=region.upper(),
        category="",
        cores=None,
        ram_gb=None,
        term_duration="P3Y",
        flexibility_group="",
        flexibility_ratio="",
        inventory_variables=variables,
        purchase_prerequisites=prerequisites,
        arm_region_name=region,
    )


def catalog(
    *skus: Sku,
    country: str = "DE",
    scope: str = "AzurePlan",
    view: str = VIEW,
    answered: Iterable[str] | None = None,
    **given: object,
) -> CatalogFound:
    """Return a catalog with all products in one view; by default the lists of all are answered."""
    products = {s.product_id for s in skus}
    plain: dict[str, object] = {
        "country": country,
        "reservation_scope": scope,
        "skus": tuple(sorted(skus, key=lambda s: s.name)),
        "views": dict.fromkeys(products, view),
        "answered": frozenset(products if answered is None else answered),
    }
    return CatalogFound(**{**plain, **given})  # type: ignore[arg-type] # as above


def customer(customer_id: str = ACME, country: str = "DE", **given: str) -> Customer:
    plain = {
        "partner_tenant_id": P,
        "customer_id": customer_id,
        "company_name": "Acme",
        "domain": "acme.example",
        "country": country,
        "relationship": "reseller",
        "reseller_id": "",
    }
    return Customer(**{**plain, **given})


def held(
    name: str,
    *,
    customer_id: str = ACME,
    offer: str = "",
    product_type: str = "",
    status: str = "active",
) -> CommerceSubscription:
    """Return a commerce subscription; an offer PRODUCT:SKU:ID sets product and SKU."""
    parts = offer.split(":")
    product_id, sku_id = parts[:2] if len(parts) == 3 else ("", "")
    return CommerceSubscription(
        partner_tenant_id=P,
        customer_id=customer_id,
        commerce_subscription_id=name,
        product_id=product_id,
        sku_id=sku_id,
        offer_id=offer,
        offer_name="",
        quantity=1,
        status=status,
        term_duration="P1Y",
        billing_cycle="monthly",
        term_ends_at=None,
        end_action="unknown",
        next_product_id="",
        next_sku_id="",
        next_term_duration="",
        reseller_id="",
        product_type=product_type,
    )


def plan(
    name: str = "plan", *, customer_id: str = ACME, status: str = "active"
) -> CommerceSubscription:
    offer = f"{AZURE_PLAN}:0001:DZH318Z0BP04"
    return held(name, customer_id=customer_id, offer=offer, product_type="Azure", status=status)


def legacy_azure(name: str = "legacy", *, status: str = "active") -> CommerceSubscription:
    return held(name, offer="MS-AZR-0145P", status=status)


def licence(
    name: str, product_id: str = "CFQ7", sku_id: str = "0001", *, status: str = "active"
) -> CommerceSubscription:
    offer = f"{product_id}:{sku_id}:CFQ7AAAA"
    return held(name, offer=offer, product_type="OnlineServicesNCE", status=status)


def azure(
    name: str = "a1",
    *,
    customer_id: str = ACME,
    plan_id: str = "plan",
    status: str = "active",
    registration: str = "Registered",
) -> AzureSubscription:
    return AzureSubscription(
        partner_tenant_id=P,
        customer_id=customer_id,
        azure_subscription_id=name,
        plan_id=plan_id,
        friendly_name=name,
        status=status,
        registration_status=registration,
        reseller_id="",
    )


def found(
    *azure_subscriptions: AzureSubscription,
    holds: Iterable[CommerceSubscription] | None = None,
    customer_id: str = ACME,
    countries: tuple[str, ...] = ("DE",),
    **given: object,
) -> CustomerFound:
    """Return a customer that holds one active Azure plan, or `holds`."""
    plain: dict[str, object] = {
        "customer": customer(customer_id),
        "countries": countries,
        "azure_subscriptions": azure_subscriptions,
        "commerce_subscriptions": tuple(
            [plan(customer_id=customer_id)] if holds is None else holds
        ),
    }
    return CustomerFound(**{**plain, **given})  # type: ignore[arg-type] # as above
