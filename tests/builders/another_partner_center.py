"""A second, much smaller Partner Center, written from the API's documents alone.

It has one partner and fixed data. Paths that the documents do not name get a 404.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiohttp import web

from tests.builders import commands
from tests.builders.run_processes import inherited

TENANT = "aaaaaaaa-0000-4000-8000-000000000001"
TOKEN = "another-partner-centers-bearer"
RELECLOUD = "d6bf25b7-e0a8-4f2d-a31b-97b55cfc774d"
LITWARE = "65543400-f8b0-4783-8530-6d35ab8c6801"
ADVISED = "0e2b7e1c-5a8f-4d7c-9a57-7d2f3f9f2b1e"
SHOP = "3A231FBE-37FE-4410-93FD-730D3D5D4C75"
LAB = "B8C1F2A0-1D2E-4F3A-8B4C-5D6E7F8A9B0C"
DORMANT = "C7D2E3F4-0A1B-4C2D-9E3F-4A5B6C7D8E9F"
PLAN = "11111111-2222-4333-8444-555555555555"
UNREGISTERED_PLAN = "66666666-7777-4888-9999-aaaaaaaaaaaa"
LICENCE = "bbbbbbbb-cccc-4ddd-8eee-ffffffffffff"
ANYWHERE = "DZH318Z0BQ3P"
"""A product whose SKUs need CustomerId and AzureSubscriptionId."""
REGIONAL = "DZH318Z0BQ3V"
"""A product whose two SKUs also need ArmRegionName."""
REGIONS = {"00G1": "KoreaSouth", "00E1": "westus2"}
UNSTOCKED = "000S"
"""A SKU in the catalog that every inventory reply leaves out."""
NEXT_PAGE = "bmV4dCBwYWdl+/=="
Json = dict[str, Any]


def _listed(customer_id: str, name: str, domain: str, relationship: str) -> Json:
    profile = {"tenantId": customer_id, "domain": domain, "companyName": name}
    return {
        "id": customer_id,
        "companyProfile": profile,
        "relationshipToPartner": relationship,
        "attributes": {"objectType": "Customer"},
    }


def _sku(product_id: str, sku_id: str, region: str = "") -> Json:
    dynamic = {"armSkuName": "Standard_D4s_v5", "category": "Compute", "cores": "4"}
    variables = ["CustomerId", "AzureSubscriptionId"]
    return {
        "id": sku_id,
        "productId": product_id,
        "title": f"Reserved VM Instance, {sku_id}",
        "isTrial": False,
        "supportedBillingCycles": ["one_time"],
        "purchasePrerequisites": ["InventoryCheck", "AzureSubscriptionRegistration"],
        "inventoryVariables": [*variables, "ArmRegionName"] if region else variables,
        "provisioningVariables": ["Scope", "SubscriptionId", "Duration"],
        "dynamicAttributes": dynamic | ({"armRegionName": region} if region else {}),
    }


PAGES = {
    "": [
        _listed(RELECLOUD, "Relecloud", "relecloud.example", "reseller"),
        _listed(ADVISED, "Adatum", "adatum.example", "advisor"),
    ],
    NEXT_PAGE: [_listed(LITWARE, "Litware", "litware.example", "reseller")],
}
CUSTOMERS = {item["id"]: item for page in PAGES.values() for item in page}
SUBSCRIPTIONS: dict[str, list[Json]] = {
    RELECLOUD: [
        {"id": PLAN, "offerId": "DZH318Z0BPS6:0001:DZH318Z0BQ4B", "status": "active"},
        {
            "id": LICENCE,
            "offerId": "CFQ7TTC0LH18:0001:CFQ7TTC0K971",
            "offerName": "Microsoft 365 Business Basic",
            "productType": {"id": "OnlineServicesNCE", "displayName": "OnlineServicesNCE"},
            "quantity": 5,
            "status": "active",
            "autoRenewEnabled": True,
            "commitmentEndDate": "2027-03-01T00:00:00Z",
            "termDuration": "P1Y",
            "billingCycle": "monthly",
        },
    ],
    LITWARE: [
        {
            "id": UNREGISTERED_PLAN,
            "offerId": "DZH318Z0BPS6:0001:DZH318Z0BQ4C",
            "status": "active",
        }
    ],
}
ENTITLEMENTS = {PLAN: [SHOP, LAB], UNREGISTERED_PLAN: [DORMANT]}
REGISTRATION = {PLAN: "Registered", UNREGISTERED_PLAN: "NotRegistered"}
SKUS = {
    ANYWHERE: [_sku(ANYWHERE, sku_id) for sku_id in ("0011", "0038", UNSTOCKED)],
    REGIONAL: [_sku(REGIONAL, sku_id, region) for sku_id, region in REGIONS.items()],
}
AVAILABILITY: Json = {
    "id": "CFQ7TTC0K971",
    "productId": "CFQ7TTC0LH18",
    "skuId": "0001",
    "catalogItemId": "CFQ7TTC0LH18:0001:CFQ7TTC0K971",
    "defaultCurrency": {"code": "EUR", "symbol": "€"},
    "segment": "commercial",
    "country": "DE",
    "isPurchasable": True,
    "isRenewable": True,
    "renewalInstructions": [
        {
            "applicableTermIds": ["5aeco6mffyxo"],
            "renewalOptions": [{"renewToId": "CFQ7TTC0LH18:0001", "isAutoRenewable": True}],
        }
    ],
    "terms": [{"id": "5aeco6mffyxo", "duration": "P1Y", "billingCycle": "Monthly"}],
}


class Refused(Exception):
    """An error reply."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"code": code, "description": description, "data": [], "source": "PartnerFD"}


@dataclass
class Received:
    """One received request, and the status of its reply."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Json
    status: int = 0


@dataclass
class AnotherPartnerCenter:
    """The server: its switches beyond the fixed data, and the requests it received."""

    base_url: str = ""
    has_customers: bool = True
    refuses_checks: bool = False
    forbids_everything: bool = False
    restricted: set[tuple[str, str, str]] = field(
        default_factory=lambda: {(SHOP, ANYWHERE, "0038")}
    )
    """Azure subscription, product and SKU."""
    requests: list[Received] = field(default_factory=list)

    @property
    def app(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        return app

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else {}
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(request.method, request.path, dict(request.query), headers, body)
        self.requests.append(received)
        found: Any
        try:
            found = self._found(received)
            received.status = 200
        except Refused as refused:
            found, received.status = refused.body, refused.status
        sent_id = headers.get("ms-correlationid") or str(uuid4())
        return web.Response(
            status=received.status,
            body=json.dumps(found, ensure_ascii=False).encode(),
            headers={
                "Content-Type": "application/json; charset=utf-8",
                "MS-CorrelationId": f"{sent_id},{sent_id}",
                "MS-RequestId": headers.get("ms-requestid", ""),
            },
        )

    def _found(self, received: Received) -> Any:  # any JSON
        if received.headers.get("authorization") != f"Bearer {TOKEN}":
            raise Refused(401, "800001", "The partner token is missing or not valid.")
        if self.forbids_everything:
            raise Refused(403, "2002", "The app is not consented to.")
        root, version, *parts = received.path.split("/")
        if (root, version) != ("", "v1"):
            raise _unknown()
        match received.method, *parts:
            case "GET", "customers":
                return self._page(received)
            case "GET", "customers", customer_id, *below if customer_id in CUSTOMERS:
                return _of_customer(customer_id, below)
            case "GET", "products", *below:
                return _of_catalog(received.query, below)
            case "POST", "extensions", "product", "checkInventory" | "checkinventory":
                return self._check(received)
            case _:
                raise _unknown()

    def _page(self, received: Received) -> Json:
        token = received.headers.get("ms-continuationtoken", "")
        if (
            received.query.get("seekOperation", "") != ("Next" if token else "")
            or token not in PAGES
        ):
            raise Refused(400, "3000", "The page that is sought is not known.")
        items = PAGES[token] if self.has_customers else []
        links: Json = {"self": {"uri": "/customers", "method": "GET", "headers": []}}
        if not token and self.has_customers:
            links["next"] = {
                "uri": f"/v1/customers?size={received.query['size']}&seekOperation=Next",
                "method": "GET",
                "headers": [{"key": "MS-ContinuationToken", "value": NEXT_PAGE}],
            }
        return {"totalCount": len(items), "items": items, "links": links}

    def _check(self, received: Received) -> list[Json]:
        if not received.body:
            raise Refused(400, "2001", "The request body is missing.")
        if self.refuses_checks:
            raise Refused(403, "2032", "Access denied.")
        _in_germany(received.query)
        context = {name: str(value) for name, value in received.body["InventoryContext"].items()}
        return [
            self._item(sku, context)
            for target in received.body["TargetItems"]
            for sku in SKUS.get(target["ProductId"], [])
            if target.get("SkuId") in {None, sku["id"]} and sku["id"] != UNSTOCKED
        ]

    def _item(self, sku: Json, context: dict[str, str]) -> Json:
        for variable in sku["inventoryVariables"]:
            if not context.get(variable[0].lower() + variable[1:]):
                raise Refused(400, "400026", f"Inventory context item {variable} is missing.")
        if context.get("armRegionName") != sku["dynamicAttributes"].get("armRegionName"):
            raise Refused(400, "400056", "The region is not the SKU's.")
        subscription = context["azureSubscriptionId"].upper()
        if context["customerId"].lower() != RELECLOUD or subscription not in {SHOP, LAB}:
            raise Refused(400, "800011", "The Azure subscription is not valid.")
        is_restricted = (subscription, sku["productId"], sku["id"]) in self.restricted
        restriction = {
            "reasonCode": "NotAvailableForSubscription",
            "description": "Restriction identified of type 'Location' with values 'japanwest'.",
            "properties": {"type": "Location", "values": "japanwest"},
        }
        return {
            "productId": sku["productId"],
            "skuId": sku["id"],
            "isRestricted": is_restricted,
            "restrictions": [restriction] if is_restricted else [],
        }


def _of_customer(customer_id: str, below: list[str]) -> Json:
    if CUSTOMERS[customer_id]["relationshipToPartner"] != "reseller" and below:
        raise Refused(403, "20002", "There is no commerce relationship with the customer.")
    held = SUBSCRIPTIONS.get(customer_id, [])
    plans = {plan["id"] for plan in held} & REGISTRATION.keys()
    match below:
        case []:
            address = {"country": "DE", "city": "Berlin"}
            return CUSTOMERS[customer_id] | {"billingProfile": {"defaultAddress": address}}
        case ["subscriptions"]:
            return _envelope(held)
        case ["subscriptions", plan, "azureEntitlements"] if plan in plans:
            status = {"status": "active", "subscriptionId": plan.upper()}
            return _envelope(
                [{"id": name, "friendlyName": ""} | status for name in ENTITLEMENTS[plan]]
            )
        case ["subscriptions", plan, "registrationstatus"] if plan in plans:
            return {"subscriptionId": plan.upper(), "status": REGISTRATION[plan]}
        case ["products", "CFQ7TTC0LH18", "skus", "0001", "availabilities"]:
            return AVAILABILITY
        case _:
            raise _unknown()


def _of_catalog(query: dict[str, str], below: list[str]) -> Json:
    _in_germany(query)
    is_whole = query.get("reservationScope") == "AzurePlan"
    match below:
        case []:
            if query.get("targetView") != "AzureReservationsVM":
                raise Refused(403, "400036", "The target view is not allowed.")
            products = [{"id": name, "title": f"Reservations {name}"} for name in SKUS]
            return _envelope(products if is_whole else [])
        case [product_id, "skus"] if product_id in SKUS:
            return _envelope(SKUS[product_id] if is_whole else [])
        case _:
            raise Refused(404, "400013", "The product was not found.")


def _in_germany(query: dict[str, str]) -> None:
    if query.get("country") != "DE":
        raise Refused(403, "2030", "The partner is not onboarded to sell in this country.")


def _envelope(items: list[Json]) -> Json:
    return {"totalCount": len(items), "items": items, "attributes": {"objectType": "Collection"}}


def _unknown() -> Refused:
    return Refused(404, "1000", "The resource was not found.")


@asynccontextmanager
async def another_partner_center() -> AsyncIterator[AnotherPartnerCenter]:
    """Serve one on loopback, in the running event loop."""
    center = AnotherPartnerCenter()
    runner = web.AppRunner(center.app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        center.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield center
    finally:
        await runner.cleanup()


def config(base_url: str, name: str = "contoso", tenant_id: str = TENANT) -> str:
    """Return the configuration text of a `[[partner]]` at this server."""
    return f"""
[[partner]]
name = "{name}"
tenant_id = "{tenant_id}"
countries = ["DE"]
auth = "token"
token = "env:{name.upper()}_TOKEN"
base_url = "{base_url}"

[partner.limits]
customers = 6000
catalog = 6000
inventory = 6000
per_customer = 6000
"""


@dataclass(frozen=True)
class Ran:
    """How the command ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def report(self) -> Json:
        """The one object that `run --format json` prints."""
        assert self.stdout.count("\n") == 1
        report: Json = json.loads(self.stdout)
        return report


def _environ(folder: Path) -> dict[str, str]:
    return {"CONTOSO_TOKEN": TOKEN, "XDG_STATE_HOME": str(folder / "home")}


async def started(folder: Path, *words: str, **environ: str) -> asyncio.subprocess.Process:
    """Start the command in a folder; its partner `contoso` has the right token."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "auditor",
        *words,
        cwd=folder,
        env=inherited() | _environ(folder) | environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def auditor(folder: Path, *words: str, **environ: str) -> Ran:
    """Run the command to its end."""
    ended = await asyncio.to_thread(
        commands.run, folder, *words, environ=_environ(folder) | environ
    )
    return Ran(ended.status, ended.out, ended.err)
