"""The client over its own transport, against a small server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from auditor.errors import ContextMissing, Throttled
from auditor.model import ApiClass
from auditor.partner_center import decoding
from auditor.partner_center.client import PartnerCenter
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.rates import PaceLimits
from auditor.partner_center.requests import InventoryContext, inventory_request
from auditor.partner_center.tokens import GivenToken
from auditor.partner_center.transport import Transport
from auditor.secret import Secret

LIMITS = PaceLimits(per_minute=dict.fromkeys(ApiClass, 600_000), per_customer=1e5, concurrency=16)


async def customers(request: web.Request) -> web.Response:
    nth = int(request.headers.get("MS-ContinuationToken", "0"))
    assert (request.query.get("seekOperation") == "Next") is (nth > 0)
    items = [{"id": f"c{n}"} for n in range(500 * nth, 500 * nth + 500)]
    body: dict[str, object] = {"totalCount": len(items), "items": items}
    if nth < 2:
        token = [{"key": "MS-ContinuationToken", "value": str(nth + 1)}]
        uri = ("" if nth else "/v1") + "/customers?size=500&seekOperation=Next"
        body["links"] = {"next": {"uri": uri, "method": "GET", "headers": token}}
    return web.json_response(body)


async def check(request: web.Request) -> web.Response:
    asked = await request.json()
    if "customerId" not in asked["InventoryContext"]:
        return web.json_response({"code": "400026", "description": "missing"}, status=400)
    return web.json_response(
        [
            {"productId": item["ProductId"], "skuId": item["SkuId"], "isRestricted": False}
            for item in asked["TargetItems"]
        ]
    )


@asynccontextmanager
async def partner_center(deadline: float | None = None) -> AsyncIterator[PartnerCenter]:
    app = web.Application()
    app.router.add_get("/v1/customers", customers)
    app.router.add_post("/v1/extensions/product/checkInventory", check)
    app.router.add_get("/v1/products/P", throttle)
    async with TestServer(app) as server, Pacer(LIMITS) as pacer:
        base_url = str(server.make_url("/")).rstrip("/")
        token = GivenToken(Secret("t"))
        async with Transport(base_url, token, pacer, deadline=deadline) as transport:
            yield PartnerCenter(transport.send, base_url)


async def throttle(_: web.Request) -> web.Response:
    return web.Response(status=429, headers={"Retry-After": "0"})


@pytest.mark.asyncio
async def test_all_customers_come_page_by_page() -> None:
    async with partner_center() as api:
        pages = await api.customers()

    assert pages.complete
    assert [c.id for c in pages.items] == [f"c{n}" for n in range(1500)]


@pytest.mark.asyncio
async def test_checks_of_many_customers_are_each_answered() -> None:
    async with partner_center() as api:

        async def ask(n: int) -> str:
            context = InventoryContext(customer_id=f"c{n % 50}")
            reply = await api.ask(inventory_request("us", [("P", f"{n:04}")], context))
            [item] = decoding.inventory_answer(reply.body).items
            return item.sku_id

        answers = await asyncio.gather(*(ask(n) for n in range(500)))

    assert answers == [f"{n:04}" for n in range(500)]


@pytest.mark.asyncio
async def test_a_missing_context_item_is_a_typed_error() -> None:
    async with partner_center() as api:
        with pytest.raises(ContextMissing, match="400026"):
            await api.ask(inventory_request("US", [("P", "0001")], InventoryContext()))


@pytest.mark.asyncio
async def test_endless_throttling_ends_in_an_error() -> None:
    async with partner_center() as api:
        with pytest.raises(Throttled):
            await api.product("US", "P")
