"""What the sandbox records, and what other processes can read and set."""

import asyncio
import json
import tomllib
from typing import Any

import aiohttp
import pytest

from auditor.sandbox import Faults, Sandbox, World, WorldSize, config_text, create_app
from auditor.sandbox.server.faults import Fault
from auditor.sandbox.server.server import SERVICE

SIZE = WorldSize(customers=20, products=3, regions=2, sizes_per_product=1)


def client(sandbox: Sandbox) -> aiohttp.ClientSession:
    token = sandbox.world.partners()[0].token
    return aiohttp.ClientSession(sandbox.base_url, headers={"Authorization": f"Bearer {token}"})


# JSON of any shape.
async def get(sandbox: Sandbox, uri: str) -> Any:
    async with aiohttp.ClientSession(sandbox.base_url) as session, session.get(uri) as response:
        assert response.status == 200, await response.text()
        return json.loads(await response.read())


@pytest.mark.asyncio
async def test_a_check_is_recorded_with_everything_that_was_asked_and_sent() -> None:
    world = World(1, SIZE)
    tenant = world.partners()[0].partner_tenant_id
    rows = [r for r in world.inventory_truth(1) if r["partner_tenant_id"] == tenant]
    row = next(r for r in rows if not r["arm_region"])
    context = {
        "customerId": row["customer_id"].upper(),
        "azureSubscriptionId": row["azure_subscription_id"].upper(),
    }
    body = {"TargetItems": [{"ProductId": row["product_id"]}], "InventoryContext": context}
    headers = {"MS-RequestId": "one", "MS-CorrelationId": "two", "X-Locale": "en-US"}
    headers["MS-PartnerCenter-Client"] = "somebody"
    times = iter(range(100))
    async with Sandbox(world, clock=lambda: float(next(times))) as sandbox:
        async with client(sandbox) as session:
            uri = f"/v1/extensions/product/checkInventory?country={row['country'].lower()}"
            async with session.post(uri, json=body, headers=headers) as response:
                items = json.loads(await response.read())
        (record,) = sandbox.log.records
        assert record.sequence == 1
        assert record.time < record.finished
        assert record.method == "POST"
        assert record.path == "/v1/extensions/product/checkInventory"
        assert record.query == f"country={row['country'].lower()}"
        assert (record.endpoint, record.api_class) == ("check_inventory", "inventory")
        assert (record.partner, record.customer) == (tenant, row["customer_id"])
        assert (record.request_id, record.correlation_id) == ("one", "two")
        assert record.client == "somebody"
        assert (record.locale, record.content_type) == ("en-US", "application/json")
        assert record.country == row["country"]
        assert record.targets == ((row["product_id"], ""),)
        assert record.context == context
        assert (record.status, record.throttled, record.fault) == (200, False, None)
        assert record.delivered == [(item["productId"], item["skuId"]) for item in items]
        delivered = {(one.product_id, one.sku_id): one for one in sandbox.log.delivered(night=1)}
        assert delivered.keys() == set(record.delivered)
        assert delivered[row["product_id"], row["sku_id"]] == (
            1,
            tenant,
            row["customer_id"],
            row["country"],
            row["azure_subscription_id"],
            "",
            row["product_id"],
            row["sku_id"],
        )
        assert list(sandbox.log.delivered(night=2)) == []
        assert sandbox.log.of("check_inventory") == [record]
        assert sandbox.log.of("customers") == []
        sandbox.log.clear()
        assert sandbox.log.of() == []


@pytest.mark.asyncio
async def test_calls_without_a_token_and_to_unknown_paths_are_recorded_too() -> None:
    async with Sandbox(World(1, SIZE)) as sandbox:
        async with aiohttp.ClientSession(sandbox.base_url) as session:
            await (await session.get("/v1/customers")).read()
        async with client(sandbox) as session:
            await (await session.get("/elsewhere")).read()
        seen = [(one.partner == "", one.endpoint, one.status) for one in sandbox.log.records]
        assert seen == [(True, "customers", 401), (False, "", 404)]


@pytest.mark.asyncio
async def test_the_most_calls_at_once_are_counted() -> None:
    all_are_waiting = asyncio.Event()
    waiting = 0

    async def wait_for_five(_: float) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 5:
            all_are_waiting.set()
        await all_are_waiting.wait()

    faults = Faults([Fault(delay_s=1)])
    async with Sandbox(World(1, SIZE), faults=faults, sleep=wait_for_five) as sandbox:
        async with client(sandbox) as session:

            async def call() -> None:
                async with session.get("/v1/customers") as response:
                    await response.read()

            await asyncio.gather(*(call() for _ in range(5)))
        tenant = sandbox.world.partners()[0].partner_tenant_id
        assert sandbox.log.most_in_flight == 5
        assert sandbox.log.most_in_flight_by_partner == {tenant: 5}


@pytest.mark.asyncio
async def test_truth_and_log_are_served_without_a_token() -> None:
    world = World(1, SIZE)
    async with Sandbox(world) as sandbox:
        async with client(sandbox) as session, session.get("/v1/customers") as response:
            await response.read()
        (record,) = await get(sandbox, "/_sandbox/log")
        assert (record["endpoint"], record["status"]) == ("customers", 200)
        rows = await get(sandbox, "/_sandbox/truth/inventory?night=2")
        assert rows == list(world.inventory_truth(2))
        rows = await get(sandbox, "/_sandbox/truth/inventory?night=3&since=1")
        assert rows == list(world.inventory_truth(3, since=1))
        rows = await get(sandbox, "/_sandbox/truth/availability")
        assert rows == list(world.availability_truth(1))


@pytest.mark.asyncio
async def test_the_night_is_set_from_outside() -> None:
    world = World(1, SIZE)
    async with (
        Sandbox(world) as sandbox,
        aiohttp.ClientSession(sandbox.base_url) as session,
    ):
        async with session.post("/_sandbox/night", json={"night": 3}) as response:
            assert (response.status, await response.json()) == (200, {"night": 3})
        assert world.night == 3
        assert await get(sandbox, "/_sandbox/night") == {"night": 3}
        for wrong in ({"night": 0}, {"night": "x"}, {"nigth": 1}, {}):
            async with session.post("/_sandbox/night", json=wrong) as response:
                assert response.status == 400
        for wrong_uri in ("night=0", "night=x", "since=0"):
            uri = f"/_sandbox/truth/inventory?{wrong_uri}"
            async with session.get(uri) as response:
                assert response.status == 400
        assert world.night == 3


@pytest.mark.asyncio
async def test_a_ready_configuration_names_every_partner() -> None:
    world = World(1, SIZE)
    async with (
        Sandbox(world) as sandbox,
        aiohttp.ClientSession(sandbox.base_url) as session,
        session.get("/_sandbox/config") as response,
    ):
        value = tomllib.loads(await response.text())
        base_url = sandbox.base_url
    assert value["store"] == "./lake"
    assert value["state_dir"] == "./state"
    assert [one["tenant_id"] for one in value["partner"]] == [
        one.partner_tenant_id for one in world.partners()
    ]
    assert [one["token"] for one in value["partner"]] == [
        "env:AUDITOR_SANDBOX_TOKEN_CONTOSO_EU",
        "env:AUDITOR_SANDBOX_TOKEN_CONTOSO_AMERICAS",
    ]
    first = value["partner"][0]
    assert (first["auth"], first["base_url"]) == ("token", base_url)
    assert first["countries"] == ["DE", "FR", "GB"]
    assert first["limits"] == {
        "customers": 60_000,
        "catalog": 60_000,
        "inventory": 60_000,
        "per_customer": 6_000,
        "concurrency": 64,
        "shared": "none",
    }


def test_a_configuration_can_name_another_place_for_tokens() -> None:
    text = config_text(World(1, SIZE), "http://127.0.0.1:1", lambda one: f"file:C:\\{one.name}")
    assert [one["token"] for one in tomllib.loads(text)["partner"]] == [
        "file:C:\\contoso-eu",
        "file:C:\\contoso-americas",
    ]


@pytest.mark.asyncio
async def test_a_port_that_is_taken_is_an_error() -> None:
    async with Sandbox(World(1, SIZE)) as sandbox:
        port = int(sandbox.base_url.rpartition(":")[2])
        with pytest.raises(OSError, match=str(port)):
            async with Sandbox(World(1, SIZE), port=port):
                pass


def test_the_application_carries_its_service() -> None:
    world = World(1, SIZE)
    assert create_app(world)[SERVICE].world is world
