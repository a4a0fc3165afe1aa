"""The HTTP replies agree with the truth tables on every night."""

import json
from collections import defaultdict
from typing import Any

import aiohttp
import pytest

from auditor.sandbox import Sandbox, World, WorldSize
from auditor.sandbox.world.night_builder import Kind
from auditor.sandbox.world.truth import InventoryRow

SIZE = WorldSize(customers=24, products=4, regions=3, sizes_per_product=2)


def client(sandbox: Sandbox) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(sandbox.base_url)


def authorized(world: World, partner_tenant_id: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {world.partner(partner_tenant_id).token}"}


# JSON of any shape, as the API gives it.
async def get(session: aiohttp.ClientSession, uri: str, headers: dict[str, str]) -> tuple[int, Any]:
    async with session.get(uri, headers=headers) as response:
        return response.status, json.loads(await response.read())


def verdict(item: dict[str, Any] | None) -> tuple[str, str, str]:
    """Return verdict, codes and values of an inventory item, as the truth tables write them."""
    if item is None:
        return "not_in_catalog", "", ""
    if not item["isRestricted"]:
        assert item.get("restrictions", []) == []
        return "unrestricted", "", ""
    codes = {one["reasonCode"] for one in item["restrictions"]}
    values = {
        value.strip().lower()
        for one in item["restrictions"]
        for value in one["properties"]["values"].split(",")
    }
    return "restricted", ";".join(sorted(codes)), ";".join(sorted(values))


@pytest.mark.asyncio
@pytest.mark.parametrize("night", [1, 2, 5])
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_inventory_replies_agree_with_the_truth(seed: int, night: int) -> None:
    world = World(seed, SIZE)
    world.night = night
    contexts: dict[tuple[str, str, str, str, str], list[InventoryRow]] = defaultdict(list)
    for row in world.inventory_truth(night):
        key = (row["partner_tenant_id"], row["country"], row["customer_id"])
        contexts[(*key, row["azure_subscription_id"], row["arm_region"])].append(row)
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        for (tenant, country, customer_id, azure_id, region), rows in contexts.items():
            # Products whose SKUs need a region are checked SKU by SKU, others as a whole.
            targets = {(r["product_id"], r["sku_id"] if region else "") for r in rows}
            context = {"customerId": customer_id, "azureSubscriptionId": azure_id}
            if region:
                context["armRegionName"] = region.title()
            body = {
                "TargetItems": [{"ProductId": p, "SkuId": s or None} for p, s in sorted(targets)],
                "InventoryContext": context,
            }
            async with session.post(
                f"/v1/extensions/product/checkInventory?country={country}",
                json=body,
                headers=authorized(world, tenant),
            ) as response:
                assert response.status == 200
                items = json.loads(await response.read())
            found = {(item["productId"], item["skuId"]): item for item in items}
            assert len(found) == len(items)
            for row in rows:
                sku = (row["product_id"], row["sku_id"])
                truth = (row["verdict"], row["reason_codes"], row["restriction_values"])
                assert verdict(found.get(sku)) == truth
                answer = world.inventory_answer(
                    night, tenant, country, customer_id, azure_id, region, *sku
                )
                assert (answer is None) == (sku not in found)
                assert answer is None or answer.is_restricted == found[sku]["isRestricted"]


@pytest.mark.asyncio
@pytest.mark.parametrize("night", [1, 2, 5])
@pytest.mark.parametrize("seed", [1, 2])
async def test_listings_agree_with_the_truth(seed: int, night: int) -> None:
    world = World(seed, SIZE)
    world.night = night
    asked = {
        (row["partner_tenant_id"], row["country"], row["product_id"], row["sku_id"])
        for row in world.inventory_truth(night)
    }
    partners = {row[:2] for row in asked}
    assert partners
    listed = set()
    scope = "reservationScope=AzurePlan"
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        for tenant, country in partners:
            headers = authorized(world, tenant)
            where = f"country={country}&{scope}"
            uri = f"/v1/products?targetView=AzureReservationsVM&{where}"
            _, products = await get(session, uri, headers)
            for product in products["items"]:
                path = f"/v1/products/{product['id']}"
                assert (await get(session, f"{path}?{where}", headers))[0] == 200
                _, skus = await get(session, f"{path}/skus?{where}", headers)
                assert skus["totalCount"] == len(skus["items"])
                for sku in skus["items"]:
                    if "InventoryCheck" in sku["purchasePrerequisites"]:
                        listed.add((tenant, country, product["id"], sku["id"]))
                one = skus["items"][-1]
                found = await get(session, f"{path}/skus/{one['id']}?{where}", headers)
                assert found == (200, one)
    assert listed == asked


@pytest.mark.asyncio
async def test_what_left_the_catalog_is_not_found_by_id_either() -> None:
    world = World(3)
    tenant = world.partners()[0].partner_tenant_id
    before = {sku.key for sku in world.skus(1, tenant, "DE", "AzurePlan")}
    gone = before - {sku.key for sku in world.skus(3, tenant, "DE", "AzurePlan")}
    codes = set()
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        for night, status in ((1, 200), (3, 404)):
            world.night = night
            for product_id, sku_id in gone:
                uri = f"/v1/products/{product_id}/skus/{sku_id}?country=DE"
                found, body = await get(session, uri, authorized(world, tenant))
                assert found == status
                codes.add(body.get("code"))
    assert codes == {None, "400013", "400018"}


@pytest.mark.asyncio
@pytest.mark.parametrize("night", [1, 2, 4])
@pytest.mark.parametrize("seed", [1, 2])
async def test_availability_replies_agree_with_the_truth(seed: int, night: int) -> None:
    world = World(seed, WorldSize(customers=80, products=1, regions=1))
    world.night = night
    truth: dict[tuple[str, ...], list[tuple[object, ...]]] = defaultdict(list)
    for row in world.availability_truth(night):
        key = (row["partner_tenant_id"], row["customer_id"], row["product_id"], row["sku_id"])
        names = ("segment", "term_duration", "billing_cycle", "verdict", "is_renewable")
        truth[key].append(
            tuple({**row}[name] for name in (*names, "renew_to", "currency", "market"))
        )
    missing = 0
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        for (tenant, customer_id, product_id, sku_id), rows in truth.items():
            path = f"/v1/customers/{customer_id}/products/{product_id}/skus/{sku_id}"
            status, body = await get(session, f"{path}/availabilities", authorized(world, tenant))
            if status == 404:
                assert body["code"] == "400018"
                assert rows == [("", "", "", "not_in_catalog", False, "", "", "")]
                missing += 1
                continue
            assert status == 200
            assert sorted(offer_rows(body["items"]), key=str) == sorted(rows, key=str)
    assert missing


def offer_rows(offers: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for offer in offers:
        renewals = {
            term_id: [option["renewToId"] for option in one["renewalOptions"]]
            for one in offer["renewalInstructions"]
            for term_id in one["applicableTermIds"]
        }
        rows += [
            (
                offer["segment"],
                term["duration"],
                term["billingCycle"],
                "purchasable" if offer["isPurchasable"] else "not_purchasable",
                offer["isRenewable"],
                ";".join(sorted(set(renewals.get(term["id"], [])))),
                offer["defaultCurrency"]["code"],
                offer["country"],
            )
            for term in offer["terms"]
        ]
    return rows


@pytest.mark.asyncio
async def test_nonprofit_offers_are_listed_only_on_request() -> None:
    world = World(1)
    tenant = world.partners()[0].partner_tenant_id
    headers = authorized(world, tenant)
    sku = next(s for s in world.portfolio.sku_by_key.values() if "nonprofit" in s.segments)
    path = f"/v1/products/{sku.product_id}/skus/{sku.sku_id}/availabilities?country=DE"
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        _, plain = await get(session, path, headers)
        _, asked = await get(session, f"{path}&targetSegment=nonprofit", headers)
        only = f"{path}&IncludeLifeCycleState=true&targetSegment=education"
        _, education = await get(session, only, headers)
        offer = plain["items"][0]
        by_id = path.replace("?", f"/{offer['id']}?")
        assert await get(session, by_id, headers) == (200, offer)
    assert {one["segment"] for one in plain["items"]} == {"commercial", "education"}
    assert {one["segment"] for one in asked["items"]} == {"nonprofit"}
    assert {one["segment"] for one in education["items"]} == {"education"}
    assert set(education["items"][0]) - set(offer) == {"lifeCycleState"}


@pytest.mark.asyncio
async def test_order_and_letter_case_of_values_vary_and_mean_nothing() -> None:
    world = World(5)
    restricted = [r for r in world.inventory_truth(1) if ";" in r["restriction_values"]]
    sample = restricted[:: len(restricted) // 40]
    texts: dict[int, set[str]] = defaultdict(set)
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        for night in (1, 2, 3, 4):
            world.night = night
            for place, row in enumerate(sample):
                body = {
                    "TargetItems": [{"ProductId": row["product_id"], "SkuId": row["sku_id"]}],
                    "InventoryContext": {
                        "customerId": row["customer_id"],
                        "azureSubscriptionId": row["azure_subscription_id"],
                        "armRegionName": row["arm_region"],
                    },
                }
                async with session.post(
                    f"/v1/extensions/product/checkInventory?country={row['country']}",
                    json=body,
                    headers=authorized(world, row["partner_tenant_id"]),
                ) as response:
                    items = json.loads(await response.read())
                if (
                    response.status == 200
                    and items
                    and verdict(items[0])[2] == (row["restriction_values"])
                ):
                    reasons = items[0]["restrictions"]
                    texts[place].update(one["properties"]["values"] for one in reasons)
    spellings = [found for found in texts.values() if len(found) > 1]
    assert any(len({text.lower() for text in found}) > 1 for found in spellings), "order"
    assert any(len({text.lower() for text in found}) < len(found) for found in spellings), "case"


@pytest.mark.asyncio
async def test_guids_come_in_either_letter_case() -> None:
    world = World(1)
    partner = world.partners()[0]
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        _, page = await get(session, "/v1/customers", authorized(world, partner.partner_tenant_id))
    ids = [item["id"] for item in page["items"]]
    assert any(one == one.upper() for one in ids)
    assert any(one == one.lower() for one in ids)
    assert any(item["id"] != item["companyProfile"]["tenantId"] for item in page["items"])


@pytest.mark.asyncio
async def test_legacy_subscriptions_are_answered_from_their_own_catalog() -> None:
    world = World(1)
    state = world.state(1)
    azure, customer, partner = next(
        (azure, customer, partner)
        for partner in world.partners()
        for customer in world.customers(partner, 1)
        for azure in world.azure_subscriptions(customer.customer_id, 1)
        if azure.reservation_scope == "" and customer.country in partner.countries
        if state.is_sold_to(customer) and customer.country != "BR"
    )
    tenant = partner.partner_tenant_id
    skus = world.skus(1, tenant, customer.country, "")
    plan = {sku.key for sku in world.skus(1, tenant, customer.country, "AzurePlan")}
    targets = {sku.product_id for sku in skus if not sku.asks_region}
    body = {
        "TargetItems": [{"ProductId": one} for one in sorted(targets)],
        "InventoryContext": {
            "customerId": customer.customer_id,
            "azureSubscriptionId": azure.azure_subscription_id,
            "armRegionName": "westeurope",
        },
    }
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        uri = f"/v1/extensions/product/checkInventory?country={customer.country}"
        async with session.post(uri, json=body, headers=authorized(world, tenant)) as response:
            items = {(i["productId"], i["skuId"]): i for i in json.loads(await response.read())}
    key = (1, tenant, customer.country, customer.customer_id, azure.azure_subscription_id)
    answers = {
        sku.key: world.inventory_answer(*key, "westeurope", *sku.key)
        for sku in world.portfolio.sku_by_key.values()
        if sku.product_id in targets
    }
    assert {one for one, answer in answers.items() if answer} == items.keys()
    assert items.keys() - plan


@pytest.mark.asyncio
async def test_a_customer_has_a_catalog_of_its_own() -> None:
    world = World(1)
    rows = list(world.availability_truth(1))
    found = next(row for row in rows if row["verdict"] == "purchasable")
    gone = next(row for row in rows if row["verdict"] == "not_in_catalog")
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        headers = authorized(world, found["partner_tenant_id"])
        base = f"/v1/customers/{found['customer_id']}/products"
        _, products = await get(session, f"{base}?targetView=OnlineServicesNCE", headers)
        assert found["product_id"] in {one["id"] for one in products["items"]}
        path = f"{base}/{found['product_id']}"
        assert (await get(session, path, headers))[1]["id"] == found["product_id"]
        _, skus = await get(session, f"{path}/skus", headers)
        sku = next(one for one in skus["items"] if one["id"] == found["sku_id"])
        assert sku["inventoryVariables"] == []
        assert await get(session, f"{path}/skus/{sku['id']}", headers) == (200, sku)
        headers = authorized(world, gone["partner_tenant_id"])
        path = f"/v1/customers/{gone['customer_id']}/products/{gone['product_id']}"
        status, body = await get(session, f"{path}/skus/{gone['sku_id']}", headers)
        assert (status, body["code"]) == (404, "400018")


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_customer_or_subscription_that_left_is_not_found_by_id(seed: int) -> None:
    world = World(seed)
    seen = set()
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        for night in (2, 3, 4):
            world.night = night
            for event in world.events(night):
                customer = world.portfolio.customer_by_id.get(event.customer_id)
                if customer is None:
                    continue
                headers = authorized(world, customer.partner_tenant_id)
                path = f"/v1/customers/{customer.customer_id}"
                held = f"{path}/subscriptions/{event.subscription_id}"
                match event.kind:
                    case Kind.CUSTOMER_LEFT:
                        expected, uri = (403, "20002"), path
                    case Kind.CUSTOMER_CAME:
                        expected, uri = (200, ""), path
                    case Kind.RELATIONSHIP_ENDED:
                        expected, uri = (403, "20002"), f"{path}/subscriptions"
                    case Kind.COMMERCE_LEFT:
                        expected, uri = (404, "20003"), held
                    case Kind.COMMERCE_CAME | Kind.COMMERCE_ACTIVE | Kind.COMMERCE_INACTIVE:
                        expected, uri = (200, ""), held
                    case _:
                        continue
                status, body = await get(session, uri, headers)
                assert (status, body.get("code", "")) == expected
                if event.kind in {Kind.COMMERCE_ACTIVE, Kind.COMMERCE_INACTIVE}:
                    assert (body["status"] == "active") == (event.kind == Kind.COMMERCE_ACTIVE)
                seen.add(event.kind)
    assert len(seen) == 7
