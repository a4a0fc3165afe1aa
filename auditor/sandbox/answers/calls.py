"""Parses a request: its endpoint, customer, check targets and inventory context."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from auditor.sandbox.answers import problems
from auditor.sandbox.answers.problems import Problem
from auditor.sandbox.world.model import Partner, SkuKey

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    name: str
    method: str
    pattern: tuple[str, ...]
    """Path segments under /v1; a segment in braces is an id."""
    api_class: str


def _endpoint(name: str, method: str, pattern: str, api_class: str) -> Endpoint:
    return Endpoint(name, method, tuple(pattern.lower().split("/")), api_class)


_SKU = "products/{product}/skus/{sku}"
_CUSTOMER = "customers/{customer}"
_HELD = f"{_CUSTOMER}/subscriptions/{{subscription}}"

ENDPOINTS = (
    _endpoint("customers", "GET", "customers", "customers"),
    _endpoint("customer", "GET", _CUSTOMER, "customers"),
    _endpoint("subscriptions", "GET", f"{_CUSTOMER}/subscriptions", "customers"),
    _endpoint("subscription", "GET", _HELD, "customers"),
    _endpoint("entitlements", "GET", f"{_HELD}/azureEntitlements", "customers"),
    _endpoint("registration", "GET", f"{_HELD}/registrationstatus", "customers"),
    _endpoint("products", "GET", "products", "catalog"),
    _endpoint("product", "GET", "products/{product}", "catalog"),
    _endpoint("skus", "GET", "products/{product}/skus", "catalog"),
    _endpoint("sku", "GET", _SKU, "catalog"),
    _endpoint("availabilities", "GET", f"{_SKU}/availabilities", "catalog"),
    _endpoint("availability", "GET", f"{_SKU}/availabilities/{{availability}}", "catalog"),
    _endpoint("customer_products", "GET", f"{_CUSTOMER}/products", "catalog"),
    _endpoint("customer_product", "GET", f"{_CUSTOMER}/products/{{product}}", "catalog"),
    _endpoint("customer_skus", "GET", f"{_CUSTOMER}/products/{{product}}/skus", "catalog"),
    _endpoint("customer_sku", "GET", f"{_CUSTOMER}/{_SKU}", "catalog"),
    _endpoint("customer_availabilities", "GET", f"{_CUSTOMER}/{_SKU}/availabilities", "catalog"),
    _endpoint("check_inventory", "POST", "extensions/product/checkInventory", "inventory"),
    _endpoint(
        "by_resource_type", "POST", "extensions/product/checkInventoryByResourceType", "inventory"
    ),
    _endpoint("country_rules", "GET", "countryvalidationrules/{country}", "catalog"),
)

ENDPOINT_NAMES = frozenset(endpoint.name for endpoint in ENDPOINTS)


@dataclass(slots=True)
class Call:
    """One request, parsed as far as possible."""

    sequence: int
    method: str
    path: str
    query_string: str
    query: Mapping[str, str]
    """Keys are lower case."""
    headers: Mapping[str, str]
    night: int
    partner: Partner | None = None
    """`None`: the token belongs to no partner."""
    endpoint: Endpoint | None = None
    """`None`: no endpoint has this path and method."""
    allowed: frozenset[str] = frozenset()
    """The methods that the path accepts."""
    ids: Mapping[str, str] = field(default_factory=dict)
    targets: tuple[SkuKey, ...] = ()
    """For an inventory check only; the SKU id is `''` for a whole product."""
    context: Mapping[str, str] = field(default_factory=dict)
    body_problem: Problem | None = None

    @property
    def customer_id(self) -> str:
        """The customer the call is about, lower case; `''` for none."""
        return (self.ids.get("customer") or self.context.get("customerId", "")).lower()

    @property
    def products(self) -> set[str]:
        targeted = {product_id for product_id, _ in self.targets}
        return targeted | {self.ids["product"]} if "product" in self.ids else targeted

    @property
    def identity(self) -> str:
        """Text that is the same for every retry of one question."""
        query = sorted((name, value.lower()) for name, value in self.query.items())
        context = sorted((name, value.lower()) for name, value in self.context.items())
        return f"{self.method} {self.path.lower()} {query} {self.targets} {context}"


def find_endpoint(method: str, path: str) -> tuple[Endpoint | None, dict[str, str], set[str]]:
    """Return the endpoint, the ids in the path, and the methods that the path accepts.

    The letter case of path segments does not matter, as at the live service.
    """
    segments = path.split("/")
    if len(segments) < 3 or segments[0] or segments[1].lower() != "v1":  # noqa: PLR2004 - /v1/x
        return None, {}, set()
    segments = segments[2:]
    allowed: set[str] = set()
    for endpoint in ENDPOINTS:
        ids = _match(endpoint.pattern, segments)
        if ids is None:
            continue
        if endpoint.method == method:
            return endpoint, ids, {method}
        allowed.add(endpoint.method)
    return None, {}, allowed


def _match(pattern: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    if len(pattern) != len(segments):
        return None
    ids = {}
    for expected, found in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            if not found:
                return None
            ids[expected[1:-1]] = found
        elif expected != found.lower():
            return None
    return ids


def read_check(body: bytes) -> tuple[tuple[SkuKey, ...], dict[str, str]]:
    """Return the targets and the context of an inventory check.

    The letter case of JSON names does not matter, as at the live service. The keys inside
    the context are data and keep their case.
    """
    if not body.strip():
        raise problems.missing_body()
    try:
        request = _lowered(msgspec.json.decode(body))
    except msgspec.DecodeError:
        raise problems.invalid_input("the body is not JSON") from None
    items = request.get("targetitems")
    if not isinstance(items, list) or not items:
        raise problems.invalid_input("there are no target items")
    targets = []
    for item in map(_lowered, items):
        product_id, sku_id = item.get("productid"), item.get("skuid") or ""
        if not isinstance(product_id, str) or not product_id or not isinstance(sku_id, str):
            raise problems.invalid_input("a target item names no product")
        targets.append((product_id, sku_id))
    context = request.get("inventorycontext") or {}
    if not isinstance(context, dict):
        raise problems.invalid_input("the inventory context is no object")
    return tuple(targets), {
        name: value for name, value in context.items() if isinstance(value, str)
    }


def _lowered(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise problems.invalid_input("an object was expected")
    return {name.lower(): inner for name, inner in value.items()}
