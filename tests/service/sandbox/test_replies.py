"""The sandbox's HTTP replies: the documents' samples, error shapes, paging, headers."""

import gzip
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from auditor.sandbox import Sandbox, World, WorldSize

SAMPLES = Path(__file__).parents[2] / "samples" / "documented"
SIZE = WorldSize(customers=40, products=3, regions=3, sizes_per_product=2)

BUYER = "65543400-f8b0-4783-8530-6d35ab8c6801"
"""The customer of the documents' samples of availabilities."""

CHECK = "/v1/extensions/product/checkInventory"
BY_TYPE = "/v1/extensions/product/checkinventorybyresourcetype"


def client(sandbox: Sandbox, partner: int = 0) -> aiohttp.ClientSession:
    token = sandbox.world.partners()[partner].token
    return aiohttp.ClientSession(sandbox.base_url, headers={"Authorization": f"Bearer {token}"})


# JSON of any shape: each test checks the reply itself.
async def ask(session: aiohttp.ClientSession, uri: str, **options: Any) -> tuple[int, Any]:
    method = "POST" if "json" in options or "data" in options else "GET"
    async with session.request(method, uri, **options) as response:
        return response.status, json.loads(await response.read())


def check(context: dict[str, str], *targets: tuple[str, str]) -> dict[str, object]:
    items = [{"ProductId": p, "SkuId": s} if s else {"ProductId": p} for p, s in targets]
    return {"TargetItems": items, "InventoryContext": context}


@pytest.mark.asyncio
@pytest.mark.parametrize("partner", [0, 1])
@pytest.mark.parametrize(
    ("uri", "sample"),
    [
        ("/v1/products/DZH318Z0BQ3V/skus/00G1?country=US", "sku_DZH318Z0BQ3V_00G1_US"),
        ("/v1/products/CFQ7TTC0LH18/skus/0001?country=us", "sku_CFQ7TTC0LH18_0001_US"),
        (
            f"/v1/customers/{BUYER}/products/DZH318Z0BPS6/skus/0001/availabilities",
            "customer_availabilities_DZH318Z0BPS6_0001",
        ),
        (
            f"/v1/customers/{BUYER.upper()}/products/CFQ7TTC0LH18/skus/0001/availabilities",
            "customer_availabilities_CFQ7TTC0LH18_0001",
        ),
    ],
)
async def test_documented_questions_get_the_documented_replies(
    uri: str, sample: str, partner: int
) -> None:
    expected = (SAMPLES / f"{sample}.json").read_bytes().rstrip(b"\n")
    async with (
        Sandbox(World(1, SIZE)) as sandbox,
        client(sandbox, partner) as session,
        session.get(uri) as response,
    ):
        assert response.status == 200
        assert await response.read() == expected


@pytest.mark.asyncio
async def test_the_documented_inventory_check_gets_the_documented_reply() -> None:
    expected = json.loads((SAMPLES / "check_inventory_DZH318Z0BQ3P_US.json").read_bytes())
    context = {
        "customerId": "d6bf25b7-e0a8-4f2d-a31b-97b55cfc774d",
        "azureSubscriptionId": "3A231FBE-37FE-4410-93FD-730D3D5D4C75",
        "armRegionName": "Europe",
    }
    async with Sandbox(World(1, SIZE)) as sandbox, client(sandbox) as session:
        body = check(context, ("DZH318Z0BQ3P", ""))
        assert await ask(session, f"{CHECK.lower()}?country=US", json=body) == (200, expected)
        body = check(context, ("DZH318Z0BQ3P", "0038"), ("DZH318Z0BQ3P", "ZZZZ"), ("NONE", ""))
        assert await ask(session, f"{CHECK}?country=US", json=body) == (200, [expected[1]])


def test_one_documented_sample_names_its_links_twice() -> None:
    text = (SAMPLES / "customer_availabilities_CFQ7TTC0LH18_0001.json").read_text(encoding="utf-8")
    assert text.count('"links"') == 2


class Ids:
    """Ids of an ordinary key of the world, for questions in which at most one thing is wrong."""

    def __init__(self, world: World, partner: int = 0) -> None:
        tenant = world.partners()[partner].partner_tenant_id
        rows = [r for r in world.inventory_truth(1) if r["partner_tenant_id"] == tenant]
        row = next(r for r in rows if not r["arm_region"])
        self.country = row["country"]
        self.customer = row["customer_id"]
        self.azure = row["azure_subscription_id"]
        self.product = row["product_id"]
        self.sku = row["sku_id"]
        self.offers = f"/v1/products/{self.product}/skus/{self.sku}/availabilities"
        self.regional = next((r["product_id"], r["sku_id"]) for r in rows if r["arm_region"])
        self.context = {"customerId": self.customer, "azureSubscriptionId": self.azure}


@pytest.mark.asyncio
async def test_bodies_may_be_in_pascal_or_camel_case_and_paths_in_any_case() -> None:
    world = World(1, SIZE)
    ids = Ids(world)
    pascal = check({**ids.context, "azureSubscriptionId": ids.azure.upper()}, (ids.product, ""))
    camel = {
        "targetItems": [{"productId": ids.product}],
        "inventoryContext": {**ids.context, "armRegionName": "Europe"},
    }
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        one = await ask(session, f"{CHECK}?country={ids.country}", json=pascal)
        two = await ask(session, f"{CHECK.lower()}?Country={ids.country.lower()}", json=camel)
    assert one == two
    assert one[0] == 200
    assert len(one[1]) > 1


@pytest.mark.asyncio
async def test_a_check_by_resource_type_leaves_out_products_of_other_types() -> None:
    world = World(1, SIZE)
    ids = Ids(world)
    cosmos = next(p for p in world.portfolio.products if p.kind == "cosmos")
    body = check(ids.context, (ids.product, ids.sku), (cosmos.product_id, ""))
    async with Sandbox(world) as sandbox, client(sandbox) as session:

        async def products(query: str, uri: str = BY_TYPE) -> set[str]:
            full = f"{uri}?country={ids.country}{query}"
            status, items = await ask(session, full, json=body)
            assert status == 200
            return {item["productId"] for item in items}

        assert await products("&resourceType=VirtualMachines") == {ids.product}
        assert await products("&resourceType=CosmosDb") == {cosmos.product_id}
        assert await products("&resourceType=SapHana") == set()
        assert await products("", CHECK) == {ids.product, cosmos.product_id}


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [3, 7, 20, 500])
async def test_customers_come_in_pages_that_ask_for_a_header(size: int) -> None:
    world = World(1, SIZE)
    expected = [one.customer_id for one in world.customers(world.partners()[0], 1)]
    found: list[str] = []
    prefixes = set()
    uri, headers = f"/v1/customers?size={size}", dict[str, str]()
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        while uri:
            status, page = await ask(session, uri, headers=headers)
            assert status == 200
            assert page["totalCount"] == len(page["items"]) <= size
            assert page["attributes"] == {"objectType": "Collection"}
            found += [item["id"].lower() for item in page["items"]]
            following = page["links"].get("next")
            uri = ""
            if following:
                assert following["method"] == "GET"
                (header,) = following["headers"]
                headers = {header["key"]: header["value"]}
                assert "MS-ContinuationToken" in headers
                prefixes.add(following["uri"].startswith("/v1/"))
                uri = "/v1" + following["uri"].removeprefix("/v1")
    assert found == expected
    if size == 3:
        assert prefixes == {True, False}


@pytest.mark.asyncio
async def test_a_page_has_at_most_five_hundred_customers() -> None:
    world = World(1, WorldSize(partners=1, customers=520, products=1, regions=1))
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        for uri in ("/v1/customers", "/v1/customers?size=1000"):
            _, page = await ask(session, uri)
            assert page["totalCount"] == 500
            assert "next" in page["links"]


@pytest.mark.asyncio
async def test_ids_of_a_request_come_back_and_sometimes_twice() -> None:
    seen = set()
    async with Sandbox(World(1, SIZE)) as sandbox, client(sandbox) as session:
        for number in range(60):
            sent = {"MS-RequestId": f"r{number}", "MS-CorrelationId": f"c{number}"}
            async with session.get("/v1/customers?size=1", headers=sent) as response:
                times = response.headers["MS-RequestId"].count(f"r{number}")
                twice = ",".join([f"c{number}"] * times)
                assert response.headers["MS-CorrelationId"] == twice
                assert response.headers["X-Locale"] == ",".join(["en-US"] * times)
                seen.add(times)
    assert seen == {1, 2}


@pytest.mark.asyncio
async def test_large_replies_are_compressed_for_clients_that_accept_it() -> None:
    async with Sandbox(World(1, SIZE)) as sandbox, client(sandbox) as session:
        plain = {"Accept-Encoding": "identity"}
        async with session.get("/v1/customers", headers=plain) as response:
            assert "Content-Encoding" not in response.headers
            body = await response.read()
        taken = {"Accept-Encoding": "gzip, deflate"}
        token = session.headers["Authorization"]
        raw = aiohttp.ClientSession(
            sandbox.base_url, headers={"Authorization": token}, auto_decompress=False
        )
        async with raw, raw.get("/v1/customers", headers=taken) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(await response.read()) == body


@pytest.mark.asyncio
async def test_a_partner_sees_what_its_customer_holds() -> None:
    world = World(11)
    partner = world.partners()[0]
    shapes = set()
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        for customer in world.customers(partner, 1)[:60]:
            base = f"/v1/customers/{customer.customer_id.upper()}"
            status, detail = await ask(session, base)
            assert status == 200
            address = detail["billingProfile"]["defaultAddress"]
            assert address["country"].upper() == customer.country
            assert detail["relationshipToPartner"] == customer.relationship
            status, listing = await ask(session, f"{base}/subscriptions")
            if customer.relationship != "reseller":
                assert (status, listing["code"]) == (403, "20002")
                continue
            held = world.commerce_subscriptions(customer.customer_id, 1)
            assert listing["totalCount"] == len(held)
            shapes.add("links" in listing)
            for one, item in zip(held, listing["items"], strict=True):
                assert item["id"].lower() == one.commerce_subscription_id
                assert item["status"] == one.status
                assert item.get("offerId", one.offer_id) == one.offer_id
                if one.kind == "azure_plan":
                    uri = f"{base}/subscriptions/{item['id']}"
                    _, azure = await ask(session, f"{uri}/azureEntitlements")
                    assert {(a["id"].lower(), a["status"]) for a in azure["items"]} == {
                        (a.azure_subscription_id, a.status)
                        for a in world.azure_subscriptions(customer.customer_id, 1)
                        if a.commerce_subscription_id == one.commerce_subscription_id
                    }
                    _, registration = await ask(session, f"{uri}/registrationstatus")
                    assert registration["status"] == one.registration
    assert shapes == {True, False}


@pytest.mark.asyncio
async def test_country_rules_are_served() -> None:
    async with Sandbox(World(1, SIZE)) as sandbox, client(sandbox) as session:
        status, rules = await ask(session, "/v1/countryvalidationrules/us")
    assert status == 200
    assert rules["iso2Code"] == "US"
    assert rules["attributes"] == {"objectType": "CountryValidationRules"}
