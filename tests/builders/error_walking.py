"""A sandbox that answers one endpoint with one row of the error table, and a client for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from auditor.errors import Does
from auditor.partner_center.client import PartnerCenter
from auditor.partner_center.error_table import NO_CODE, TABLE, row_of, steps
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.retry import RetryBudget
from auditor.partner_center.tokens import Grant, RenewedToken
from auditor.partner_center.transport import Timeouts, Transport
from auditor.sandbox import Fault, Sandbox, World
from auditor.sandbox.world.model import SAVINGS_PLAN
from auditor.scope.found import CatalogFound, CustomerFound
from auditor.scope.known import Known
from auditor.secret import Secret
from tests.builders.discovering import LIMITS, SMALL, Discovery

SENDS = {
    "list_customers": "customers",
    "get_customer": "customer",
    "list_subscriptions": "subscriptions",
    "get_subscription": "subscription",
    "list_azure_entitlements": "entitlements",
    "get_registration_status": "registration",
    "list_products": "products",
    "get_product": "product",
    "list_skus": "skus",
    "get_sku": "sku",
    "get_customer_product": "customer_product",
    "list_customer_skus": "customer_skus",
    "get_customer_sku": "customer_sku",
    "check_inventory": "check_inventory",
    "check_inventory_by_resource_type": "by_resource_type",
    "list_availabilities": "availabilities",
    "list_customer_availabilities": "customer_availabilities",
}
"""The sandbox's name of each client endpoint."""
NEW = "405"
"""A code that is in no row: the sandbox's own code for a wrong method."""
TIMEOUT = "timeout"
UNSENT = {"breaker", "deadline", "tls", "unsendable"}
"""Causes on the client's side; `test_transport_*.py` tests them."""
SAMPLES = {2: 299, 3: 302, 4: 418, 5: 599, 6: 600, 7: 700, 8: 800, 9: 999}
"""A status without its own row, by class. 1xx is not a reply: `test_transport_faults.py`."""
ATTEMPTS = {Does.RETRIED: 3, Does.WAITED_FOR: 11, Does.TOKEN_RENEWED: 2, Does.MOVED: 2}
"""Attempts at a server that always sends the same reply, with Retry-After 60 in each 429."""
EVERY_ROW = ("list_availabilities", "list_skus")
SHORT = {
    "get_subscription": Fault(endpoint="subscriptions", truncate=0),
    "get_product": Fault(endpoint="products", truncate=0),
    "get_sku": Fault(endpoint="skus", truncate=0),
    "get_customer_sku": Fault(endpoint="customer_skus", truncate=0),
}
"""The fault that makes discovery request an item by id: its list is empty."""
Sent = tuple[int, str]


def rows_of(endpoint: str) -> list[Sent]:
    """Return (status, code) for each row that applies at an endpoint; without a reply, (0, cause).

    Rows for any endpoint that differ only in their code count as one, except at `EVERY_ROW`.
    """
    sent: dict[object, Sent] = {}
    for (where, _, _), row in TABLE.items():
        status = SAMPLES.get(row.status, row.status)
        code = row.code or NEW
        if status == 1 or code in UNSENT or row_of(endpoint, status, code) is not row:
            continue
        is_alone = where or endpoint in EVERY_ROW
        same = row if is_alone else (status, steps(endpoint, status, code))
        sent.setdefault(same, (status, row.code if status in {0, 429} else code))
    return list(sent.values())


def fault(endpoint: str, status: int, code: str) -> Fault:
    """Return the fault that makes the sandbox answer with this status and code."""
    name = SENDS[endpoint]
    match status, code:
        case 0, "timeout":
            return Fault(endpoint=name, delay_s=1.0)  # `walking` replaces sleep: it never ends
        case 0, _:
            return Fault(endpoint=name, reset=True)
        case 429, _:
            return Fault(endpoint=name, status=429, headers={"Retry-After": "60"})
        case _:
            return Fault(endpoint=name, status=status, code="" if code == NO_CODE else code)


class Time:
    """A clock that only `sleep` moves."""

    def __init__(self) -> None:
        self.at = 0.0

    def clock(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds
        await asyncio.sleep(0)


class Walk:
    """A sandbox on its second night, and the findings of the first."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.known = Known(partner_tenant_id="")
        self.customer_id = ""
        self.azure_id = ""
        self.catalog = CatalogFound(country="", reservation_scope="")
        self.customers: tuple[CustomerFound, ...] = ()

    @asynccontextmanager
    async def discovering(
        self, *, timeout_s: float = 60.0
    ) -> AsyncIterator[tuple[Discovery, Transport]]:
        """Open a new client, without breakers or rates learned from errors."""
        time = Time()
        token = Secret(self.sandbox.world.partners()[0].token)

        async def grant() -> Grant:
            return Grant(token=token, lasts_s=3600)

        async with (
            Pacer(LIMITS, clock=time.clock, sleep=time.sleep) as pacer,
            Transport(
                self.sandbox.base_url,
                RenewedToken(grant, clock=time.clock),
                pacer,
                clock=time.clock,
                sleep=time.sleep,
                timeouts=Timeouts(total_s=timeout_s),
                budget=RetryBudget(floor=10_000),
            ) as transport,
        ):
            api = PartnerCenter(transport.send, self.sandbox.base_url)
            yield Discovery(self.sandbox, api), transport

    @property
    def known_skus(self) -> set[tuple[str, str]]:
        return {sku.name for skus in self.known.skus.values() for sku in skus.values()}

    @property
    def savings_plans(self) -> set[tuple[str, str]]:
        return {name for name in self.known_skus if name[0] == SAVINGS_PLAN}

    async def first_night(self) -> None:
        async with self.discovering() as (discovery, _):
            found = await discovery.customers()
            self.customers = tuple(found.values())
            self.catalog = await discovery.catalog(
                also_listed=(SAVINGS_PLAN,), customers=self.customers
            )
            self.known = discovery.remembered(found.values(), self.catalog)
            with_plan = min(
                (each for each in found.values() if each.azure_subscriptions and not each.failed),
                key=lambda each: (not _is_plain(each), each.customer.customer_id),
            )
            self.customer_id = with_plan.customer.customer_id
            [self.azure_id, *_] = [s.azure_subscription_id for s in with_plan.azure_subscriptions]
            discovery.quiet_night()


def _is_plain(found: CustomerFound) -> bool:
    """Tell whether all Azure subscriptions belong to registered plans."""
    return all(s.registration_status == "Registered" for s in found.azure_subscriptions)


@asynccontextmanager
async def walking() -> AsyncIterator[Walk]:
    released = asyncio.Event()

    async def hang(_: float) -> None:
        await released.wait()

    async with Sandbox(World(1, SMALL), sleep=hang) as sandbox:
        walk = Walk(sandbox)
        await walk.first_night()
        yield walk
        released.set()
