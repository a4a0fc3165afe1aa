"""What the sandbox refuses, with the documented codes and texts."""

import aiohttp
import pytest

from auditor.sandbox import Sandbox, World
from tests.service.sandbox.test_replies import BY_TYPE, CHECK, SIZE, Ids, ask, check, client

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("uri", "status", "code"),
    [
        ("/v1/products/NONE?country=DE", 404, "400013"),
        ("/v1/products/NONE/skus?country=DE", 404, "400013"),
        ("/v1/products/NONE/skus/0001?country=DE", 404, "400013"),
        ("/v1/products/{product}/skus/ZZZZ?country=DE", 404, "400018"),
        ("/v1/products/{product}/skus/{sku}?country=BR", 404, "400013"),
        (
            "/v1/products/CFQ7TTC0LH18/skus/0001/availabilities/NONE?country=US",
            404,
            "400013",
        ),
        ("{offers}/NONE?country={country}&reservationScope=AzurePlan", 404, "400019"),
        (
            "/v1/products?country=DE&targetView=OnlineServicesNCE&targetSegment=government",
            403,
            "400030",
        ),
        ("/v1/products?country=DE&targetView=MarketplaceSaaS", 403, "400036"),
        ("/v1/customers/{customer}/products?targetView=AzureAzureReservationsVM", 403, "400036"),
        ("/v1/products?country=DE", 400, "3000"),
        ("/v1/products?targetView=Azure", 400, "3000"),
        ("/v1/products?targetView=Azure&country=DE&reservationScope=Other", 400, "3000"),
        ("/v1/customers/no-guid", 400, "900118"),
        ("/v1/customers/00000000-0000-4000-8000-000000000000", 403, "20002"),
        ("/v1/customers/{other}/subscriptions", 403, "20002"),
        (
            "/v1/customers/{customer}/subscriptions/00000000-0000-4000-8000-000000000000",
            404,
            "20003",
        ),
        ("/v1/customers/{customer}/subscriptions/none/azureEntitlements", 404, "20003"),
        ("/v1/customers/{customer}/subscriptions/none/registrationstatus", 404, "20003"),
        ("/v1/customers/{customer}/products/NONE/skus/0001/availabilities", 404, "400013"),
        (
            "/v1/customers/{customer}/products/DZH318Z0BPS6/skus/ZZZZ/availabilities",
            404,
            "400018",
        ),
        ("/v1/customers?size=none", 400, "3000"),
        ("/v1/customers?size=0", 400, "3000"),
        ("/v1/customers?size=5&seekOperation=Next", 400, "3000"),
        ("/v1/nothing/here", 404, "1000"),
        ("/v1//v1/customers", 404, "1000"),
        ("/v1/countryvalidationrules/XX", 404, "1000"),
    ],
)
async def test_errors_have_the_documented_code_and_shape(uri: str, status: int, code: str) -> None:
    world = World(1, SIZE)
    ids = Ids(world)
    other = world.customers(world.partners()[1], 1)[0].customer_id
    path = uri.format(**vars(ids), other=other)
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        found, body = await ask(session, path)
    assert (found, body["code"]) == (status, code)
    assert set(body) == {"code", "description", "data", "source"}
    assert body["data"] == []


@pytest.mark.asyncio
@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer sandbox-nobody", "Basic c2FuZGJveA=="])
async def test_an_unknown_token_is_refused(token: str) -> None:
    async with Sandbox(World(1, SIZE)) as sandbox:
        headers = {"Authorization": token} if token else {}
        async with (
            aiohttp.ClientSession(sandbox.base_url, headers=headers) as session,
            session.get("/v1/customers") as response,
        ):
            body = await response.json()
            assert response.status == 401
            assert response.headers["WWW-Authenticate"].startswith("OAuth realm=")
            assert body["code"] == "400"
            assert set(body) == {"code", "description", "data", "source"}


@pytest.mark.asyncio
async def test_inventory_checks_that_cannot_be_answered_get_a_code() -> None:
    world = World(1, SIZE)
    ids = Ids(world)
    whole = (ids.product, "")
    uri = f"{CHECK}?country={ids.country}"
    async with Sandbox(world) as sandbox, client(sandbox) as session:

        async def code(body: object, uri: str = uri) -> tuple[int, str]:
            status, reply = await ask(session, uri, json=body)
            return status, reply["code"]

        assert await ask(session, uri, data=b"") == (
            400,
            {
                "code": "2001",
                "description": "The request body is missing.",
                "data": [],
                "source": "PartnerApiServiceCommon",
            },
        )
        status, reply = await ask(session, uri, data=b"{")
        assert (status, reply["code"]) == (400, "400056")
        assert await code([]) == (400, "400056")
        assert await code({"TargetItems": []}) == (400, "400056")
        assert await code({"TargetItems": [{"SkuId": "0001"}]}) == (400, "400056")
        assert await code(check(ids.context, whole), CHECK) == (400, "3000")
        assert await code(check({}, whole)) == (400, "400026")
        assert await code(check({"customerId": ids.customer}, whole)) == (400, "400026")
        pascal = {"CustomerId": ids.customer, "AzureSubscriptionId": ids.azure}
        assert await code(check(pascal, whole)) == (400, "400026")
        assert await code(check(ids.context, ids.regional)) == (400, "400026")
        assert await code(check(ids.context, (ids.regional[0], ""))) == (400, "400026")
        wrong = {**ids.context, "customerId": UNKNOWN_ID}
        assert await code(check(wrong, whole)) == (403, "20002")
        wrong = {**ids.context, "customerId": "nobody"}
        assert await code(check(wrong, whole)) == (400, "900118")
        wrong = {**ids.context, "azureSubscriptionId": UNKNOWN_ID}
        assert await code(check(wrong, whole)) == (400, "800011")
        assert await code(check(ids.context, whole), f"{CHECK}?country=US") == (403, "2030")
        assert await code(check(ids.context, whole), f"{BY_TYPE}?country=DE") == (400, "3000")


@pytest.mark.asyncio
async def test_subscriptions_that_cannot_buy_are_refused_with_their_own_codes() -> None:
    world = World(11)
    state = world.state(1)
    codes = set()
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        partner = world.partners()[0]
        for customer in world.customers(partner, 1):
            if not state.is_sold_to(customer) or customer.country not in partner.countries:
                continue
            for azure in world.azure_subscriptions(customer.customer_id, 1):
                plan = world.portfolio.commerce_by_id[azure.commerce_subscription_id]
                if azure.status == "active" and state.registration(plan) == "Registered":
                    continue
                context = {
                    "customerId": customer.customer_id,
                    "azureSubscriptionId": azure.azure_subscription_id,
                }
                body = check(context, ("NONE", ""))
                status, reply = await ask(session, f"{CHECK}?country={customer.country}", json=body)
                assert status == 400
                codes.add(reply["code"])
    assert codes == {"800012", "800030"}


@pytest.mark.asyncio
async def test_by_customer_availabilities_do_not_accept_post() -> None:
    world = World(1, SIZE)
    uri = f"/v1/customers/{Ids(world).customer}/products/DZH318Z0BPS6/skus/0001/availabilities"
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        async with session.post(uri) as response:
            assert response.status == 405
            assert response.headers["Allow"] == "GET"
        status, body = await ask(session, uri)
        assert (status, body["totalCount"]) == (200, 1)
