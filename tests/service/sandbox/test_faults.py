"""Every kind of fault on a real socket, and how faults choose their calls."""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from auditor.sandbox import Fault, Faults, Sandbox, World, WorldSize

SHAPE = {"code": "", "description": "", "data": [], "source": "PartnerApiServiceCommon"}
SIZE = WorldSize(customers=20, products=3, regions=2, sizes_per_product=1)


def client(sandbox: Sandbox, partner: int = 0) -> aiohttp.ClientSession:
    token = sandbox.world.partners()[partner].token
    return aiohttp.ClientSession(sandbox.base_url, headers={"Authorization": f"Bearer {token}"})


async def statuses(session: aiohttp.ClientSession, uri: str, times: int) -> list[int]:
    found = []
    for _ in range(times):
        async with session.get(uri) as response:
            await response.read()
            found.append(response.status)
    return found


class Key:
    """One product of one Azure subscription, checked as a whole product."""

    def __init__(self, world: World) -> None:
        tenant = world.partners()[0].partner_tenant_id
        row = next(
            row
            for row in world.inventory_truth(1)
            if row["partner_tenant_id"] == tenant and not row["arm_region"]
        )
        self.uri = f"/v1/extensions/product/checkInventory?country={row['country']}"
        self.customer_id = row["customer_id"]
        self.product_id = row["product_id"]
        self.body = {
            "TargetItems": [{"ProductId": row["product_id"]}],
            "InventoryContext": {
                "customerId": row["customer_id"],
                "azureSubscriptionId": row["azure_subscription_id"],
            },
        }

    async def items(self, session: aiohttp.ClientSession) -> list[tuple[str, str]]:
        async with session.post(self.uri, json=self.body) as response:
            assert response.status == 200
            found = json.loads(await response.read())
        return [(item["productId"], item["skuId"]) for item in found]


@pytest.mark.asyncio
async def test_a_status_comes_with_its_code_in_the_documented_shape() -> None:
    fault = Fault(endpoint="customers", status=500, code="800003", description="Oh.")
    async with Sandbox(World(1, SIZE), faults=Faults([fault])) as sandbox:
        async with client(sandbox) as session, session.get("/v1/customers") as response:
            assert response.status == 500
            assert await response.json() == {**SHAPE, "code": "800003", "description": "Oh."}
        (record,) = sandbox.log.records
        assert (record.status, record.fault) == (500, "status 500")


@pytest.mark.asyncio
async def test_an_error_may_come_with_a_success_and_a_401_names_its_realm() -> None:
    """Documented for 400072, and for every 401."""
    faults = Faults(
        [Fault(status=200, code="400072", count=1), Fault(status=401, code="800001", count=1)]
    )
    async with Sandbox(World(1, SIZE), faults=faults) as sandbox, client(sandbox) as session:
        async with session.get("/v1/customers") as response:
            assert response.status == 200
            body = await response.json()
            assert (body["code"], set(body)) == ("400072", set(SHAPE))
        async with session.get("/v1/customers") as response:
            assert response.headers["WWW-Authenticate"].startswith("OAuth realm=")
            assert (response.status, (await response.json())["code"]) == (401, "800001")


@pytest.mark.asyncio
async def test_an_endpoint_may_accept_only_post() -> None:
    """The tables of the documents' by-customer pages name only POST."""
    world = World(1, SIZE)
    customer = Key(world).customer_id
    uri = f"/v1/customers/{customer}/products/DZH318Z0BPS6/skus/0001/availabilities"
    only = Fault(endpoint="customer_availabilities", post_only=True)
    late = Fault(endpoint="customer_availabilities", method="POST", status=503, after=1)
    async with Sandbox(world, faults=Faults([only, late])) as sandbox, client(sandbox) as session:
        async with session.get(uri) as response:
            assert (response.status, response.headers["Allow"]) == (405, "POST")
        async with session.post(uri) as response:
            assert (response.status, (await response.json())["totalCount"]) == (200, 1)
        async with session.post(uri) as response:
            assert response.status == 503
        async with session.post("/v1/customers") as response:
            assert response.status == 405


@pytest.mark.asyncio
async def test_a_429_has_a_retry_after_only_if_the_fault_gives_one() -> None:
    faults = Faults(
        [
            Fault(status=429, count=1),
            Fault(status=429, headers={"Retry-After": "5"}, count=1),
            Fault(status=429, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}),
        ]
    )
    replies = []
    async with Sandbox(World(1, SIZE), faults=faults) as sandbox, client(sandbox) as session:
        for _ in range(3):
            async with session.get("/v1/customers") as response:
                body = await response.json()
                assert body["statusCode"] == 429
                replies.append((response.headers.get("Retry-After"), body["message"][-11:]))
    assert replies == [
        (None, "57 seconds."),
        ("5", "n 5 seconds."[1:]),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "57 seconds."),
    ]


@pytest.mark.asyncio
async def test_a_reset_connection_is_a_reset_for_the_client() -> None:
    faults = Faults([Fault(endpoint="customers", reset=True)])
    async with Sandbox(World(1, SIZE), faults=faults) as sandbox:
        address = sandbox.base_url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(address[0], int(address[1]))
        token = sandbox.world.partners()[0].token
        lines = ("GET /v1/customers HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", "", "")
        writer.write("\r\n".join(lines).encode())
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        async with client(sandbox) as session:
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.get("/v1/customers")
        assert {(one.status, one.fault) for one in sandbox.log.records} == {(0, "reset")}


@pytest.mark.asyncio
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_cut_body_ends_early(encoding: str) -> None:
    faults = Faults([Fault(endpoint="customers", cut=True)])
    async with Sandbox(World(1, SIZE), faults=faults) as sandbox, client(sandbox) as session:
        headers = {"Accept-Encoding": encoding}
        async with session.get("/v1/customers", headers=headers) as response:
            assert response.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        assert sandbox.log.records[0].fault == "cut"


@pytest.mark.asyncio
async def test_wrong_bytes_are_sent_as_they_are() -> None:
    faults = Faults(
        [
            Fault(endpoint="customers", body="<html>not what you asked for</html>", count=1),
            Fault(endpoint="customers", body="", count=1),
            Fault(endpoint="customers", body_bytes=b"\xff\xfe", status=502, count=1),
        ]
    )
    found = []
    async with Sandbox(World(1, SIZE), faults=faults) as sandbox, client(sandbox) as session:
        for _ in range(3):
            async with session.get("/v1/customers") as response:
                found.append((response.status, await response.read()))
    assert found == [
        (200, b"<html>not what you asked for</html>"),
        (200, b""),
        (502, b"\xff\xfe"),
    ]


@pytest.mark.asyncio
async def test_a_delay_waits_and_changes_nothing_else() -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    world = World(1, SIZE)
    key = Key(world)
    faults = Faults([Fault(delay_s=2.5), Fault(endpoint="customers", delay_s=1, status=503)])
    async with Sandbox(world, faults=faults, sleep=sleep) as sandbox, client(sandbox) as session:
        expected = await key.items(session)
        assert await statuses(session, "/v1/customers", 1) == [503]
        assert waited == [2.5, 3.5]
        first, second = sandbox.log.records
        assert (first.fault, first.delivered) == ("delay", expected)
        assert second.fault == "status 503"


@pytest.mark.asyncio
async def test_items_can_be_left_out_of_an_inventory_reply() -> None:
    world = World(1, SIZE)
    key = Key(world)
    async with Sandbox(world) as sandbox, client(sandbox) as session:
        whole = await key.items(session)
        gone = whole[1]
        sandbox.faults.add(Fault(endpoint="check_inventory", omit=f"{gone[0]}:{gone[1]}"))
        assert await key.items(session) == [one for one in whole if one != gone]
        sandbox.faults = Faults([Fault(endpoint="check_inventory", omit=2)])
        assert await key.items(session) == whole[2:]
        sandbox.faults = Faults([Fault(product=key.product_id, omit=(key.product_id, "NONE"))])
        assert await key.items(session) == []
        sandbox.faults.clear()
        assert await key.items(session) == whole
        delivered = [record.delivered for record in sandbox.log.records]
        assert delivered == [whole, None, None, None, whole]


@pytest.mark.asyncio
async def test_a_truncated_list_shows_no_sign_of_it() -> None:
    world = World(1, SIZE)
    faults = Faults([Fault(truncate=2)])
    async with Sandbox(world, faults=faults) as sandbox, client(sandbox) as session:
        async with session.get("/v1/customers?size=5") as response:
            page = await response.json()
        assert page["totalCount"] == len(page["items"]) == 2
        assert "next" not in page["links"]
        uri = "/v1/products?country=DE&targetView=AzureReservationsVM&reservationScope=AzurePlan"
        async with session.get(uri) as response:
            assert (await response.json())["totalCount"] == 2
        assert len(await Key(world).items(session)) == 2
        # The truncated listing is not kept.
        sandbox.faults.clear()
        async with session.get(uri) as response:
            assert (await response.json())["totalCount"] == 3


@pytest.mark.asyncio
async def test_the_true_body_is_sent_with_the_first_match_replaced() -> None:
    odd = Fault(
        endpoint="customers",
        replace=(('"id":"[^"]*"', '"id":null'), ('"companyName":("[^"]*")', '"\\u0000\xe9"')),
    )
    async with Sandbox(World(1, SIZE)) as sandbox, client(sandbox) as session:
        async with session.get("/v1/customers") as response:
            before = (await response.json())["items"]
        sandbox.faults.add(odd)
        async with session.get("/v1/customers") as response:
            body = await response.read()
        assert b'"companyName":"\\u0000\xe9"' in body
        items = json.loads(body.decode("latin-1"))["items"]
        assert items[0]["id"] is None
        assert [item["id"] for item in items[1:]] == [item["id"] for item in before[1:]]
        assert [record.fault for record in sandbox.log.records] == [None, "replace"]


@pytest.mark.asyncio
async def test_faults_begin_after_some_calls_and_end_after_some() -> None:
    faults = Faults([Fault(endpoint="customers", status=503, after=1, count=2)])
    async with Sandbox(World(1, SIZE), faults=faults) as sandbox, client(sandbox) as session:
        assert await statuses(session, "/v1/customers", 5) == [200, 503, 503, 200, 200]


@pytest.mark.asyncio
async def test_faults_are_for_one_endpoint_partner_customer_product_or_night() -> None:
    world = World(1, SIZE)
    one, two = world.customers(world.partners()[0], 1)[:2]
    product = world.portfolio.products[0].product_id
    faults = Faults(
        [
            Fault(partner="contoso-americas", status=501),
            Fault(customer=one.customer_id.upper(), status=502),
            Fault(product=product, status=503),
            Fault(night=(2, 3), status=504),
            Fault(endpoint=("customers", "registration"), status=505),
        ]
    )
    async with Sandbox(world, faults=faults) as sandbox:

        async def status(uri: str, partner: int = 0) -> int:
            async with client(sandbox, partner) as session:
                return (await statuses(session, uri, 1))[0]

        assert await status("/v1/customers", 1) == 501
        assert await status(f"/v1/customers/{one.customer_id}") == 502
        assert await status(f"/v1/products/{product}?country=DE") == 503
        assert await status(f"/v1/customers/{two.customer_id}") == 200
        assert await status("/v1/customers") == 505
        world.night = 2
        assert await status(f"/v1/customers/{two.customer_id}") == 504


@pytest.mark.asyncio
async def test_a_share_of_the_questions_fails_on_every_try() -> None:
    world = World(1, WorldSize(customers=80, products=1, regions=1))
    customers = world.customers(world.partners()[0], 1)
    faults = Faults([Fault(endpoint="customer", share=0.3, status=503)], seed=3)
    async with Sandbox(world, faults=faults) as sandbox, client(sandbox) as session:
        found = [
            tuple(await statuses(session, f"/v1/customers/{one.customer_id}", 3))
            for one in customers
        ]
    assert set(found) == {(200, 200, 200), (503, 503, 503)}
    assert 0.1 < found.count((503, 503, 503)) / len(found) < 0.5


@pytest.mark.asyncio
async def test_a_share_of_the_tries_fails_and_a_retry_may_succeed() -> None:
    faults = Faults([Fault(endpoint="customers", share_per_try=0.5, status=503)], seed=3)
    async with Sandbox(World(1, SIZE), faults=faults) as sandbox, client(sandbox) as session:
        found = await statuses(session, "/v1/customers", 40)
        sandbox.faults = Faults(faults, seed=3)
        assert await statuses(session, "/v1/customers", 40) == found
    assert 8 < found.count(503) < 32


def test_scripts_are_read_from_toml_and_json(tmp_path: Path) -> None:
    toml = tmp_path / "faults.toml"
    toml.write_text(
        """
seed = 7

[[fault]]
endpoint = ["check_inventory", "by_resource_type"]
night = 2
share = 0.05
status = 503
headers = { Retry-After = "2" }

[[fault]]
customer = "A"
omit = ["P:S"]
body_bytes = "AAE="
""",
        encoding="utf-8",
    )
    as_json = tmp_path / "faults.json"
    as_json.write_text(
        json.dumps(
            {
                "seed": 7,
                "fault": [
                    {
                        "endpoint": ["check_inventory", "by_resource_type"],
                        "night": 2,
                        "share": 0.05,
                        "status": 503,
                        "headers": {"Retry-After": "2"},
                    },
                    {"customer": "A", "omit": ["P:S"], "body_bytes": "AAE="},
                ],
            }
        ),
        encoding="utf-8",
    )
    one, two = Faults.load(toml), Faults.load(as_json)
    assert list(one) == list(two)
    assert (one.seed, two.seed) == (7, 7)
    assert list(one)[1].body_bytes == b"\x00\x01"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[fault]]\nstatus = 503\nendpiont = 'customers'", "endpiont"),
        ("sede = 1", "sede"),
        ("[[fault]]\nstatus = 503\nendpoint = 'nothing'", "nothing"),
        ("[[fault]]\nstatus = '503'", "status"),
        ("[[fault]]\nstatus = 503\nshare = 2", "share"),
        ("[[fault]]\nendpoint = 'customers'", "needs an action"),
        ("[[fault]", "faults.toml"),
        ("fault = 3", "fault"),
    ],
)
def test_a_script_that_makes_no_sense_is_an_error(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"faults\.toml") as caught:
        Faults.load(path)
    assert expected in str(caught.value)


def test_a_script_that_is_no_json_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"faults\.json"):
        Faults.load(path)
