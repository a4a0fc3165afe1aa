"""How each question of wave 2 is settled."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from auditor.errors import Unauthorized
from auditor.fetch.fetch import UNSENDABLE, Fetch
from auditor.model import (
    UNREADABLE,
    Check,
    CheckKind,
    Outcome,
    Question,
    Reason,
    Reply,
    Request,
    Settled,
    Unasked,
)
from auditor.normalize.availability import NO_VERDICT
from auditor.plan.plan import Plan
from tests.builders import scope as bench

AT = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
CUSTOMER = "65543400-f8b0-4783-8530-6d35ab8c6801"
AZURE = "3a231fbe-37fe-4410-93fd-730d3d5d4c75"
Answer = Callable[[Request], Reply]
PRODUCTS = ("DZH1", "DZH2")
PLAN = Plan(
    bench.rules(partner_tenant_id="p"),
    [bench.catalog(*(bench.sku(s, p) for p in PRODUCTS for s in ("0001", "0002")))],
    customers=(),
)


def inventory(*names: str, variables: tuple[str, ...] = ("CustomerId",), **more: Any) -> Question:
    """Return a batch about these products, or SKUs as PRODUCT:SKU."""
    checks = []
    for name in names:
        product_id, _, sku_id = name.partition(":")
        checks.append(
            Check(
                kind=CheckKind.INVENTORY,
                partner_tenant_id="p",
                customer_id=CUSTOMER,
                country="DE",
                azure_subscription_id=AZURE,
                reservation_scope="AzurePlan",
                product_id=product_id,
                sku_id=sku_id,
            )
        )
    return Question(checks=tuple(checks), variables=variables, **more)


def availability(customer_id: str = CUSTOMER, country: str = "", segment: str = "") -> Question:
    check = Check(
        kind=CheckKind.AVAILABILITY,
        partner_tenant_id="p",
        customer_id=customer_id,
        country=country,
        reservation_scope="AzurePlan" if country else "",
        product_id="CFQ7",
        sku_id="0001",
    )
    return Question(checks=(check,), segment=segment)


def reply(status: int = 200, body: object = None, **more: Any) -> Reply:  # Any: of a reply
    return Reply(
        status=status, body=json.dumps([] if body is None else body).encode(), sent_at=AT, **more
    )


def error(status: int, code: str) -> Reply:
    return reply(status, {"code": code, "description": "no"})


class Server:
    """Gives the answers it was made with, and records the requests."""

    def __init__(self, answer: Answer | Reply) -> None:
        self._answer = answer
        self.asked: list[Request] = []

    async def send(self, request: Request) -> Reply:
        self.asked.append(request)
        return self._answer if isinstance(self._answer, Reply) else self._answer(request)


def item(product_id: str, sku_id: str, *, restricted: bool = False) -> dict[str, object]:
    return {"productId": product_id, "skuId": sku_id, "isRestricted": restricted}


def items_of(request: Request) -> list[tuple[str, str]]:
    sent = json.loads(request.body)["TargetItems"]
    return [(item["ProductId"], item.get("SkuId", "")) for item in sent]


def refusing(status: int, *bad: str, cause: str = "") -> Answer:
    """Return a server that refuses every batch with one of these products in it."""

    def answer(request: Request) -> Reply:
        if any(product in bad for product, _ in items_of(request)):
            return reply(status, {"code": "400056", "description": "no"}, cause=cause)
        return reply()

    return answer


def fetching(
    send: Callable[[Request], Awaitable[Reply]],
    *,
    lifecycle: bool = False,
    at_once: int = 1,
    events: list[str] | None = None,
) -> Fetch:
    """Return a fetch that adds the names of its events to a list."""
    reported: list[str] = [] if events is None else events
    return Fetch(
        send,
        lambda event, **_: reported.append(event),
        lifecycle=lifecycle,
        at_once=at_once,
    )


async def ask(
    server: Server, *questions: Question | Unasked, at_once: int = 1, lifecycle: bool = False
) -> list[Settled]:
    fetch = fetching(server.send, lifecycle=lifecycle, at_once=at_once)
    return list((await fetch.ask(PLAN, questions)).settled)


# The requests -------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("variables", "context"),
    [
        (
            ("AzureSubscriptionId", "CustomerId"),
            {"customerId": CUSTOMER, "azureSubscriptionId": AZURE},
        ),
        (("CustomerId",), {"customerId": CUSTOMER}),
        ((), {}),
        (("ArmRegionName", "CustomerId"), {"customerId": CUSTOMER, "armRegionName": "KoreaSouth"}),
    ],
)
async def test_the_context_holds_only_the_variables_that_the_skus_need(
    variables: tuple[str, ...], context: dict[str, str]
) -> None:
    server = Server(reply())
    region = "KoreaSouth" if "ArmRegionName" in variables else ""
    await ask(server, inventory("DZH1", variables=variables, arm_region_name=region))
    [request] = server.asked
    assert json.loads(request.body)["InventoryContext"] == context
    assert request.params == (("country", "DE"),)


@pytest.mark.asyncio
async def test_a_question_with_a_resource_type_uses_the_other_endpoint() -> None:
    server = Server(reply())
    await ask(server, inventory("DZH1", resource_type="VirtualMachines"))
    [request] = server.asked
    assert request.endpoint == "check_inventory_by_resource_type"
    assert ("resourceType", "VirtualMachines") in request.params


@pytest.mark.asyncio
async def test_availabilities_are_asked_by_customer_or_by_country_and_segment() -> None:
    server = Server(reply(body={"items": []}))
    await ask(server, availability(), lifecycle=True)
    await ask(server, availability("", "DE", "nonprofit"))
    by_customer, by_country = server.asked
    assert by_customer.path == f"/v1/customers/{CUSTOMER}/products/CFQ7/skus/0001/availabilities"
    assert by_customer.params == (("IncludeLifeCycleState", "true"),)
    assert by_country.path == "/v1/products/CFQ7/skus/0001/availabilities"
    assert dict(by_country.params) == {
        "country": "DE",
        "targetSegment": "nonprofit",
        "reservationScope": "AzurePlan",
    }


# The outcomes -------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_an_answer_keeps_its_ids_and_the_key_of_its_reply() -> None:
    server = Server(reply(request_id="r", correlation_id="k", attempts=2))
    [settled] = await ask(server, inventory("DZH1"))
    assert settled.outcome is Outcome.ANSWERED
    assert (settled.request_id, settled.correlation_id, settled.attempts) == ("r", "k", 2)
    assert (settled.http_status, settled.sent_at, settled.reason) == (200, AT, "")
    assert settled.key == server.asked[0].key()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("received", "reason"),
    [
        (reply(503), "http_503"),
        (reply(0, cause="reset"), "reset"),
        (reply(0, cause="breaker"), "breaker"),
        (reply(0, cause="throttled"), "throttled"),
        (reply(429, cause="throttled"), "throttled"),
        (error(403, "20002"), "http_403"),
        (error(400, "400026"), "http_400"),
        (reply(200, {"code": "400072", "description": "not available"}), UNREADABLE),
        (reply(200, {"items": 1}), UNREADABLE),
        (Reply(status=200, body=b" \n", sent_at=AT), UNREADABLE),
        (Reply(status=200, body=b"<html>", sent_at=AT), UNREADABLE),
    ],
)
async def test_a_check_without_a_usable_answer_has_failed_with_a_reason(
    received: Reply, reason: str
) -> None:
    """P2, P24."""
    [settled] = await ask(Server(received), inventory("DZH1"))
    assert (settled.outcome, settled.reason) == (Outcome.FAILED, reason)
    assert settled.http_status == received.status


@pytest.mark.asyncio
async def test_a_question_after_the_deadline_is_skipped() -> None:
    """P2, P21."""
    [settled] = await ask(Server(reply(0, cause="deadline")), inventory("DZH1"))
    assert (settled.outcome, settled.reason) == (Outcome.SKIPPED, Reason.DEADLINE)


@pytest.mark.asyncio
@pytest.mark.parametrize("code", ["400013", "400018"])
async def test_not_found_is_an_answer_to_an_availability_question(code: str) -> None:
    [settled] = await ask(Server(error(404, code)), availability())
    assert (settled.outcome, settled.not_found) == (Outcome.ANSWERED, True)
    assert (settled.http_status, settled.error_code, settled.reason) == (404, code, "")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("question", "code"),
    [
        (availability(), "20003"),
        (availability(), ""),
        (inventory("DZH1:0001"), "60003"),
        (inventory("DZH1"), "400018"),
    ],
)
async def test_any_other_404_is_not_an_answer(question: Question, code: str) -> None:
    """Only 400013 and 400018 mean that the product or the SKU does not exist."""
    [settled] = await ask(Server(error(404, code)), question)
    assert (settled.outcome, settled.not_found) == (Outcome.FAILED, False)


@pytest.mark.asyncio
@pytest.mark.parametrize(("name", "code"), [("P1", "400013"), ("P1:0001", "400018")])
async def test_a_404_to_a_single_inventory_check_is_an_answer(name: str, code: str) -> None:
    """For a batch, the 404 does not say which item it means, so the batch is halved."""

    def answer(request: Request) -> Reply:
        asked = [product for product, _ in items_of(request)]
        return error(404, code) if "P1" in asked else reply()

    settled = await ask(Server(answer), inventory("P0", name, "P2"))
    found = {c.product_id: s.not_found for s in settled for c in s.question.checks}
    assert found == {"P0": False, "P1": True, "P2": False}
    assert {s.outcome for s in settled} == {Outcome.ANSWERED}


@pytest.mark.asyncio
async def test_an_availability_without_is_purchasable_is_not_an_answer() -> None:
    [settled] = await ask(Server(reply(body={"items": [{"id": "a"}]})), availability())
    assert (settled.outcome, settled.reason) == (Outcome.FAILED, NO_VERDICT)


@pytest.mark.asyncio
async def test_an_unasked_check_is_settled_with_its_reason() -> None:
    server = Server(reply())
    check = inventory("DZH1").checks[0]
    unasked = Unasked(check=check, outcome=Outcome.NOT_ELIGIBLE, reason=Reason.OFFER_IS_LEGACY)
    [settled] = await ask(server, unasked)
    assert (settled.outcome, settled.reason) == (Outcome.NOT_ELIGIBLE, Reason.OFFER_IS_LEGACY)
    assert (settled.question.checks, settled.sent_at) == ((check,), None)
    assert server.asked == []


# Ids that cannot be sent --------------------------------------------------------------------


@pytest.mark.asyncio
async def test_an_id_that_cannot_be_sent_fails_its_own_check_and_no_other() -> None:
    """P24, S9: ids come from the catalog's replies; one bad id does not fail its batch."""
    server = Server(reply())
    settled = await ask(server, inventory("P0", "P1:../etc", "P2", "P3"))
    by_product = {c.product_id: s for s in settled for c in s.question.checks}
    assert {p: s.outcome for p, s in by_product.items()} == {
        "P0": Outcome.ANSWERED,
        "P1": Outcome.FAILED,
        "P2": Outcome.ANSWERED,
        "P3": Outcome.ANSWERED,
    }
    assert by_product["P1"].reason == UNSENDABLE
    assert all("etc" not in request.body.decode() for request in server.asked)


# A partner that is out ------------------------------------------------------------------


@pytest.mark.asyncio
async def test_nothing_more_is_asked_after_the_credential_is_refused() -> None:
    """P22: the partner's other checks are skipped, so there are not 100,000 refusals."""
    asked: list[Request] = []

    async def send(request: Request) -> Reply:
        asked.append(request)
        if len(asked) == 3:
            raise Unauthorized("refused")
        return reply()

    fetch = fetching(send, at_once=1)
    questions = [inventory(f"P{n}") for n in range(50)]
    settled = (await fetch.ask(PLAN, questions)).settled
    assert [s.outcome for s in settled] == [Outcome.ANSWERED] * 2 + [Outcome.SKIPPED] * 48
    assert {s.reason for s in settled[2:]} == {Reason.PARTNER_OUT}
    assert len(asked) == 3


@pytest.mark.asyncio
async def test_a_cancelled_fetch_leaves_no_running_call() -> None:
    never = asyncio.Event()

    async def send(request: Request) -> Reply:
        if items_of(request) != [("P0", "")]:
            await never.wait()
        return reply()

    before = asyncio.all_tasks()
    fetch, first = fetching(send, at_once=5), asyncio.Event()
    questions = [inventory(f"P{n}") for n in range(9)]
    asking = asyncio.create_task(fetch.ask(PLAN, questions, lambda _: first.set()))
    await first.wait()
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    assert asyncio.all_tasks() <= before


@pytest.mark.asyncio
async def test_every_question_settles_once_in_any_order_of_answers() -> None:
    """P24: answered + failed + skipped + not eligible = asked, exactly."""
    names = [f"P{n}" for n in range(40)]
    questions: Iterable[Question] = [inventory(name) for name in names]
    settled = await ask(Server(refusing(503, *names[::3])), *questions, at_once=7)
    assert sorted(c.product_id for s in settled for c in s.question.checks) == sorted(names)
    assert sum(s.outcome is Outcome.FAILED for s in settled) == len(names[::3])
