"""Each endpoint, with a replaced transport; most tests are about the pages of customers."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor.errors import Forbidden, NotFound, Unauthorized, UnexpectedReply, Unreachable
from auditor.model import Reply, Request
from auditor.partner_center.client import PartnerCenter
from auditor.partner_center.pages import MOST_PAGES
from auditor.partner_center.requests import availability_request

SAMPLES = Path(__file__).parents[2] / "samples"
BASE = "https://api.partnercenter.microsoft.com"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
CUSTOMER = "d6bf25b7-e0a8-4f2d-a31b-97b55cfc774d"
Answer = tuple[int, bytes]


class Server:
    """Answers from a list or by a function, and records the requests."""

    def __init__(self, answers: Sequence[Answer] | Callable[[Request], Answer]) -> None:
        self.answers = answers
        self.seen: list[Request] = []

    async def send(self, request: Request) -> Reply:
        self.seen.append(request)
        if callable(self.answers):
            status, body = self.answers(request)
        else:
            status, body = self.answers[len(self.seen) - 1]
        return Reply(status=status, body=body, sent_at=NOW)

    @property
    def client(self) -> PartnerCenter:
        return PartnerCenter(self.send, BASE)


def page(
    *ids: str, uri: str = "", token: str = "", method: str = "GET", total: int | None = None
) -> Answer:
    count = len(ids) if total is None else total
    body: dict[str, object] = {"totalCount": count, "items": [{"id": i} for i in ids]}
    if uri:
        headers = [{"key": "MS-ContinuationToken", "value": token}] if token else []
        headers.append({"key": "Authorization", "value": "of somebody else"})
        body["links"] = {"next": {"uri": uri, "method": method, "headers": headers}}
    return 200, json.dumps(body).encode()


NEXT = "/customers?size=500&seekOperation=Next"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "uri",
    [
        NEXT,
        "/v1" + NEXT,
        "customers?size=500&seekOperation=Next",
        BASE + "/v1" + NEXT,
        "/customers?size=500",
    ],
)
async def test_the_pages_of_customers_are_followed(uri: str) -> None:
    server = Server([page("a", "b", uri=uri, token="T=="), page("c")])

    pages = await server.client.customers()

    assert ([c.id for c in pages.items], pages.complete, pages.error) == (
        ["a", "b", "c"],
        True,
        None,
    )
    first, second = server.seen
    assert (first.path, dict(first.params), first.headers) == ("/v1/customers", {"size": "500"}, ())
    assert second.path == "/v1/customers"
    assert dict(second.params) == {"size": "500", "seekOperation": "Next"}
    assert second.headers == (("MS-ContinuationToken", "T=="),)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/v1/customers?x=1",
        "//evil.example/v1/customers?x=1",
        "///v1/customers?x=1",
        "http://api.partnercenter.microsoft.com/v1/customers?x=1",
        "https://api.partnercenter.microsoft.com:8443/v1/customers?x=1",
        "https://api.partnercenter.microsoft.com./v1/customers?x=1",
        "https://api.partnercenter.microsoft.com.evil.example/v1/customers?x=1",
        "https://api.partnercenter.microsoft.com@evil.example/v1/customers?x=1",
        "https://user:pw@api.partnercenter.microsoft.com/v1/customers?x=1",
        "@evil.example/v1/customers?x=1",
        "/customers/../../x?y=1",
        "/v1/../admin",
        "/%2e%2e/customers?x=1",
        "/v1//v1/customers?x=1",
        "/v1/v1/customers?x=1",
        "/customers/?x=1",
        "/customers;p?x=1",
        "/customers?x=1#fragment",
        "/customers?x=1\r\nX-Y: z",
        "\\\\evil.example\\customers",
        "/customers?x=é",
        "/orders?x=1",
        "file:///v1/customers?x=1",
        "http://169.254.169.254/v1/customers?x=1",
        "javascript:alert(1)",
        "https://[::1/v1/customers",
    ],
)
async def test_a_link_to_another_place_is_refused_and_the_page_is_kept(uri: str) -> None:
    """S3."""
    server = Server([page("a", uri=uri, token="T")])

    pages = await server.client.customers()

    assert [c.id for c in pages.items] == ["a"]
    assert not pages.complete
    assert isinstance(pages.error, UnexpectedReply)
    assert len(server.seen) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "second",
    [
        page("b", uri=NEXT, token="T"),  # the same link again
        page("a", uri=NEXT, token="U"),  # no new customer
        page(uri=NEXT, token="U"),  # no customer
    ],
)
async def test_a_list_whose_pages_repeat_is_ended(second: Answer) -> None:
    server = Server([page("a", uri=NEXT, token="T"), second])

    pages = await server.client.customers()

    assert not pages.complete
    assert isinstance(pages.error, UnexpectedReply)
    assert len(server.seen) == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("totals", [(2, 1), (3, 3)])
async def test_the_total_count_may_be_of_the_page_or_of_the_whole_list(
    totals: tuple[int, int],
) -> None:
    pages = [page("a", "b", uri=NEXT, token="T", total=totals[0]), page("c", total=totals[1])]

    assert (await Server(pages).client.customers()).complete


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answers", [[page("a", total=2)], [page("a", uri=NEXT, token="T", total=3), page("b", total=3)]]
)
async def test_a_customer_list_that_ends_early_is_not_complete(answers: list[Answer]) -> None:
    """There is no further link, but there are fewer customers than the total count."""
    pages = await Server(answers).client.customers()

    assert pages.items
    assert not pages.complete
    assert isinstance(pages.error, UnexpectedReply)
    assert "short list" in str(pages.error)


@pytest.mark.asyncio
async def test_a_page_of_items_without_ids_is_passed_once() -> None:
    """P36: but the same page again is a circle."""
    odd = json.dumps({"items": [{"id": None}], "links": {"next": {"uri": NEXT + "&x=1"}}}).encode()
    again = odd.replace(b"x=1", b"x=2")
    pages = await Server([page("a", uri=NEXT, token="T"), (200, odd), page("b")]).client.customers()
    assert ([c.id for c in pages.items], pages.complete) == (["a", "b"], True)
    assert len(pages.spoiled) == 1
    answers = [(200, odd), (200, again), (200, again)]
    circle = await Server(answers).client.customers()
    assert isinstance(circle.error, UnexpectedReply)


@pytest.mark.asyncio
async def test_an_endless_list_is_cut() -> None:
    count = 0

    def endless(_: Request) -> Answer:
        nonlocal count
        count += 1
        return page(f"c{count}", uri=NEXT, token=f"T{count}")

    pages = await Server(endless).client.customers()

    assert not pages.complete
    assert len(pages.items) == MOST_PAGES


@pytest.mark.asyncio
@pytest.mark.parametrize("token", ["a\r\nX: y", "é", "x" * 9000])
async def test_a_token_that_cannot_be_a_header_is_refused(token: str) -> None:
    pages = await Server([page("a", uri=NEXT, token=token)]).client.customers()

    assert isinstance(pages.error, UnexpectedReply)


@pytest.mark.asyncio
async def test_a_link_without_a_token_is_followed_with_its_parameters() -> None:
    server = Server([page("a", uri="/customers?size=500&seekOperation=Next&x=1"), page("b")])

    assert (await server.client.customers()).complete
    assert server.seen[1].headers == ()


@pytest.mark.asyncio
async def test_a_link_with_another_method_than_get_is_refused() -> None:
    pages = await Server([page("a", uri=NEXT, token="T", method="POST")]).client.customers()

    assert isinstance(pages.error, UnexpectedReply)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((503, b""), Unreachable),
        ((401, b""), Unauthorized),
        ((200, b"<html>"), UnexpectedReply),
        ((200, b'{"code":"400072","description":"x"}'), UnexpectedReply),
    ],
)
async def test_the_pages_before_a_failure_are_kept(answer: Answer, error: type[Exception]) -> None:
    pages = await Server([page("a", uri=NEXT, token="T"), answer]).client.customers()

    assert [c.id for c in pages.items] == ["a"]
    assert not pages.complete
    assert isinstance(pages.error, error)


@pytest.mark.asyncio
async def test_a_customer_on_two_pages_is_one_customer() -> None:
    pages = await Server([page("A", "b", uri=NEXT, token="T"), page("a", "c")]).client.customers()

    assert [c.id.lower() for c in pages.items] == ["a", "b", "c"]


BODIES: Mapping[str, bytes] = {
    "get_customer": b'{"id":"D6BF25B7-E0A8-4F2D-A31B-97B55CFC774D",'
    b'"billingProfile":{"defaultAddress":{"country":"de"}}}',
    "list_subscriptions": (SAMPLES / "customer_subscriptions_list.json").read_bytes(),
    "get_subscription": b'{"id":"s"}',
    "list_azure_entitlements": b'{"totalCount":1,"items":[{"id":"e"}]}',
    "get_registration_status": b'{"subscriptionId":"s","status":"Registered"}',
    "list_products": b'{"totalCount":0,"items":[]}',
    "get_product": (SAMPLES / "product_by_id_DZH318Z0BQ4C_US.json").read_bytes(),
    "list_skus": b'{"items":[' + (SAMPLES / "sku_reservation.json").read_bytes() + b"]}",
    "get_customer_product": (SAMPLES / "product_by_id_DZH318Z0BQ4C_US.json").read_bytes(),
    "list_customer_skus": b'{"items":[' + (SAMPLES / "sku_reservation.json").read_bytes() + b"]}",
    "get_customer_sku": (SAMPLES / "sku_new_commerce_cut.json").read_bytes(),
    "get_sku": (SAMPLES / "sku_new_commerce_cut.json").read_bytes(),
}


RESERVED, LICENCE = "DZH318Z0BQ3V", "CFQ7TTC0LH18"
"""The products of the sampled SKUs."""


@pytest.mark.asyncio
async def test_an_answer_about_something_else_is_none() -> None:
    """P36: it would be a second one about that."""
    api = Server(lambda request: (200, BODIES[request.endpoint])).client
    other = CUSTOMER.replace("d6", "d7")
    for wrong in (
        api.customer(other),
        api.subscription(CUSTOMER, "other"),
        api.sku("US", "P", "0001", ""),
        api.sku("US", LICENCE, "0002", ""),
        api.customer_sku(CUSTOMER, "P", "0001"),
    ):
        with pytest.raises(UnexpectedReply, match="something else"):
            await wrong
    for listed in (api.skus("US", "P", "", ""), api.customer_skus(CUSTOMER, "P")):
        found = await listed
        assert (found.items, len(found.spoiled)) == ((), 1)


@pytest.mark.asyncio
async def test_every_endpoint_returns_its_values() -> None:
    server = Server(lambda request: (200, BODIES[request.endpoint]))
    api = server.client

    assert (await api.customer(CUSTOMER)).country == "de"
    assert len((await api.subscriptions(CUSTOMER)).items) == 2
    assert (await api.subscription(CUSTOMER, "s")).id == "s"
    entitlements = await api.azure_entitlements(CUSTOMER, "plan", round=1)
    assert [e.id for e in entitlements.items] == ["e"]
    assert (await api.registration_status(CUSTOMER, "plan")).status == "Registered"
    assert (await api.products("US", "AzureReservationsVM", "", "AzurePlan")).items == ()
    assert (await api.product("US", "P")).title == "DSv2 Series"
    assert [s.id for s in (await api.skus("US", RESERVED, "", "AzurePlan")).items] == ["00G1"]
    assert (await api.sku("US", LICENCE, "0001", "")).id == "0001"
    assert (await api.customer_product(CUSTOMER, "P")).title == "DSv2 Series"
    assert [s.id for s in (await api.customer_skus(CUSTOMER, RESERVED)).items] == ["00G1"]
    assert (await api.customer_sku(CUSTOMER, LICENCE, "0001")).id == "0001"
    assert {r.endpoint for r in server.seen} == set(BODIES)
    assert server.seen[3].round == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "body",
    [
        b'{"totalCount":51,"items":[{"id":"e"}]}',
        b'{"items":[{"id":"e"}],"links":{"next":{"uri":"/x"}}}',
    ],
)
async def test_a_short_list_is_not_accepted_as_complete(body: bytes) -> None:
    with pytest.raises(UnexpectedReply, match="short list"):
        await Server([(200, body)]).client.azure_entitlements(CUSTOMER, "plan")


@pytest.mark.asyncio
async def test_an_unreadable_body_is_an_unexpected_reply() -> None:
    with pytest.raises(UnexpectedReply, match="GET /v1/products/P"):
        await Server([(200, b"<html>")]).client.product("US", "P")


@pytest.mark.asyncio
async def test_ask_returns_the_reply_to_a_check_unread() -> None:
    server = Server([(200, b"not looked at"), (404, b'{"code":"400018"}'), (403, b"")])
    api = server.client
    request = availability_request("US", "P", "0001", "", "")

    assert (await api.ask(request)).body == b"not looked at"
    with pytest.raises(NotFound) as caught:
        await api.ask(request)
    assert caught.value.error_code_sent == "400018"
    with pytest.raises(Forbidden):
        await api.ask(request)
