"""The requests of Partner Center as values: path, parameters, body, quota.

An id that does not fit the grammar raises `Rejected` before anything is sent. GUIDs are sent in
lower case, countries in upper case. A `reservation_scope` of '' leaves the parameter out, which
asks about legacy offers: other products, SKUs and availabilities.
"""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

import msgspec

from auditor.errors import Rejected
from auditor.model import ApiClass, Request, is_guid
from auditor.partner_center import bodies

PAGE_SIZE = 500
"""Customers on a page: the server puts no more there, whatever size is requested."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_COUNTRY = re.compile(r"[A-Za-z]{2}")

Params = Iterable[tuple[str, str]]


class InventoryContext(msgspec.Struct, frozen=True, kw_only=True):
    """The context of an inventory check; '' is not sent."""

    customer_id: str = ""
    azure_subscription_id: str = ""
    arm_region: str = ""
    """In the letter case of the SKU's own armRegionName."""


def customers() -> Request:
    return _get(
        "list_customers", ["customers"], ApiClass.CUSTOMERS, params=[("size", str(PAGE_SIZE))]
    )


def customer(customer_id: str) -> Request:
    return _of_customer("get_customer", customer_id, [])


def subscriptions(customer_id: str) -> Request:
    return _of_customer("list_subscriptions", customer_id, ["subscriptions"])


def subscription(customer_id: str, subscription_id: str) -> Request:
    return _of_customer("get_subscription", customer_id, ["subscriptions", subscription_id])


def azure_entitlements(customer_id: str, plan_id: str, round_: int = 0) -> Request:
    request = _of_customer(
        "list_azure_entitlements", customer_id, ["subscriptions", plan_id, "azureEntitlements"]
    )
    return msgspec.structs.replace(request, round=round_)


def registration_status(customer_id: str, plan_id: str) -> Request:
    return _of_customer(
        "get_registration_status", customer_id, ["subscriptions", plan_id, "registrationstatus"]
    )


def products(country: str, target_view: str, segment: str, reservation_scope: str) -> Request:
    return _of_catalog(
        "list_products",
        country,
        ["products"],
        [
            ("targetView", target_view),
            ("targetSegment", segment),
            ("reservationScope", reservation_scope),
        ],
    )


def product(country: str, product_id: str) -> Request:
    return _of_catalog("get_product", country, ["products", product_id])


def skus(country: str, product_id: str, segment: str, reservation_scope: str) -> Request:
    return _of_catalog(
        "list_skus",
        country,
        ["products", product_id, "skus"],
        [("targetSegment", segment), ("reservationScope", reservation_scope)],
    )


def sku(country: str, product_id: str, sku_id: str, reservation_scope: str) -> Request:
    return _of_catalog(
        "get_sku",
        country,
        ["products", product_id, "skus", sku_id],
        [("reservationScope", reservation_scope)],
    )


def customer_product(customer_id: str, product_id: str) -> Request:
    """Ask for a product as a customer sees it."""
    return _by_customer("get_customer_product", customer_id, [product_id])


def customer_skus(customer_id: str, product_id: str) -> Request:
    return _by_customer("list_customer_skus", customer_id, [product_id, "skus"])


def customer_sku(customer_id: str, product_id: str, sku_id: str) -> Request:
    return _by_customer("get_customer_sku", customer_id, [product_id, "skus", sku_id])


def availability_request(
    country: str, product_id: str, sku_id: str, segment: str, reservation_scope: str
) -> Request:
    """Ask for a country's availabilities; nonprofit ones come only if `segment` names them."""
    return _of_catalog(
        "list_availabilities",
        country,
        ["products", product_id, "skus", sku_id, "availabilities"],
        [("targetSegment", segment), ("reservationScope", reservation_scope)],
    )


def customer_availability_request(
    customer_id: str, product_id: str, sku_id: str, *, lifecycle: bool
) -> Request:
    """Ask for a customer's availabilities: a GET, although the documents' table says POST."""
    return _by_customer(
        "list_customer_availabilities",
        customer_id,
        [product_id, "skus", sku_id, "availabilities"],
        [("IncludeLifeCycleState", "true")] if lifecycle else [],
    )


def as_post(request: Request) -> Request:
    """Return the same request as a POST."""
    return msgspec.structs.replace(request, method="POST")


def inventory_request(
    country: str,
    items: Sequence[tuple[str, str]],
    context: InventoryContext,
    resource_type: str = "",
    *,
    for_customer: str = "",
) -> Request:
    """Ask about (product, SKU) pairs; '' asks about all SKUs of a product.

    With a resource type, the request goes to the API that replaces checkInventory. If the context
    names no customer, the request counts against the quota of `for_customer`.
    """
    name, path = "check_inventory", "checkInventory"
    if resource_type:
        name, path = "check_inventory_by_resource_type", "checkinventorybyresourcetype"
    customer_id = context.customer_id and _id(context.customer_id)
    return Request(
        endpoint=name,
        method="POST",
        path=f"/v1/extensions/product/{path}",
        params=_params([("country", _country(country)), ("resourceType", resource_type)]),
        body=bodies.inventory_check(
            [(_id(product_id), sku_id and _id(sku_id)) for product_id, sku_id in items],
            customer_id=customer_id,
            azure_subscription_id=context.azure_subscription_id
            and _id(context.azure_subscription_id),
            arm_region=context.arm_region,
        ),
        api_class=ApiClass.INVENTORY,
        customer_id=customer_id or (for_customer and _id(for_customer)),
    )


def _of_customer(name: str, customer_id: str, below: Sequence[str]) -> Request:
    return _get(
        name, ["customers", customer_id, *below], ApiClass.CUSTOMERS, customer_id=customer_id
    )


def _by_customer(name: str, customer_id: str, below: Sequence[str], params: Params = ()) -> Request:
    return _get(
        name,
        ["customers", customer_id, "products", *below],
        ApiClass.CATALOG,
        params=params,
        customer_id=customer_id,
    )


def _of_catalog(name: str, country: str, path: Sequence[str], params: Params = ()) -> Request:
    return _get(name, path, ApiClass.CATALOG, params=[("country", _country(country)), *params])


def _get(
    name: str,
    path: Sequence[str],
    api_class: ApiClass,
    *,
    params: Params = (),
    customer_id: str = "",
) -> Request:
    return Request(
        endpoint=name,
        method="GET",
        path="/v1/" + "/".join(quote(_id(part), safe="") for part in path),
        params=_params(params),
        api_class=api_class,
        customer_id=customer_id and _id(customer_id),
    )


def _params(params: Params) -> tuple[tuple[str, str], ...]:
    return tuple((name, _id(value)) for name, value in params if value)


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise Rejected(f"not an id: {text[:80]!r}")
    return text.lower() if is_guid(text) else text


def _country(text: str) -> str:
    if not _COUNTRY.fullmatch(text):
        raise Rejected(f"not a country: {text[:80]!r}")
    return text.upper()
