"""What is sent to a server that does not answer, for one customer or for all."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from auditor.model import ApiClass, Request
from auditor.partner_center.breaker import (
    CUSTOMER_OPENS_AFTER,
    PARTNER_OPENS_AFTER,
    Patience,
)
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.rates import PaceLimits
from auditor.partner_center.retry import ATTEMPTS
from auditor.partner_center.tokens import GivenToken
from auditor.partner_center.transport import Timeouts, Transport
from auditor.secret import Secret

LIMITS = PaceLimits(per_minute=dict.fromkeys(ApiClass, 1e6), per_customer=1e6, concurrency=32)
CUSTOMERS = 20
CALLS = 20


class Server:
    """Answers each customer with the status that `behave` returns; 0 hangs."""

    def __init__(self, behave: Callable[[str, int], int]) -> None:
        self._behave = behave
        self.asked: Counter[str] = Counter()
        self.goes_on = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        customer = request.match_info["customer"]
        self.asked[customer] += 1
        status = self._behave(customer, self.asked.total())
        if not status:
            await self.goes_on.wait()
            status = 200
        headers = {"Retry-After": "600"} if status == 429 else {}
        return web.Response(status=status, headers=headers, body=b"[]")


def ask(customer: str) -> Request:
    return Request(
        endpoint="customer_availability",
        method="GET",
        path=f"/v1/{customer}",
        api_class=ApiClass.CATALOG,
        customer_id=customer,
    )


@asynccontextmanager
async def serving(
    behave: Callable[[str, int], int],
    *,
    deadline: float | None = None,
    haste: float = 1,
    total_s: float = 60.0,
) -> AsyncIterator[tuple[Transport, Server]]:
    server = Server(behave)
    app = web.Application()
    app.router.add_get("/v1/{customer}", server.handle)
    loop = asyncio.get_running_loop()

    async def sleep_briefly(seconds: float) -> None:
        await asyncio.sleep(seconds / 1000)

    async with (
        TestServer(app) as running,
        Pacer(LIMITS) as pacer,
        Transport(
            str(running.make_url("/")),
            GivenToken(Secret("t")),
            pacer,
            clock=lambda: haste * loop.time(),
            now=lambda: datetime(2026, 11, 21, tzinfo=UTC),
            sleep=sleep_briefly,
            timeouts=Timeouts(total_s=total_s),
            patience=Patience(least_s=900),
            deadline=None if deadline is None else loop.time() + deadline,
        ) as transport,
    ):
        try:
            yield transport, server
        finally:
            server.goes_on.set()


async def ask_all(transport: Transport) -> Counter[tuple[bool, int, str]]:
    """Count the replies by (is for the customer `dead`, status, cause)."""
    names = ["dead", *(f"c{n}" for n in range(1, CUSTOMERS))]
    calls = [name for _ in range(CALLS) for name in names]
    replies = await asyncio.gather(*(transport.send(ask(name)) for name in calls))
    return Counter((n == "dead", r.status, r.cause) for n, r in zip(calls, replies, strict=True))


OTHERS = (CUSTOMERS - 1) * CALLS


@pytest.mark.asyncio
@pytest.mark.parametrize(("status", "cause", "total_s"), [(0, "timeout", 2.0), (500, "", 60.0)])
async def test_a_dead_customer_costs_few_attempts_and_no_answer_of_another_customer(
    status: int, cause: str, total_s: float
) -> None:
    """P20, fault matrix row 15: calls of one customer hang, or get only errors."""

    def behave(customer: str, _: int) -> int:
        return status if customer == "dead" else 200

    async with serving(behave, total_s=total_s) as (transport, server):
        came = await ask_all(transport)

    assert came[False, 200, ""] == OTHERS
    assert came[True, 0, "breaker"] + came[True, status, cause] == CALLS
    in_flight = LIMITS.per_customer_in_flight
    assert came[True, 0, "breaker"] >= CALLS - CUSTOMER_OPENS_AFTER - in_flight
    assert server.asked["dead"] <= CUSTOMER_OPENS_AFTER + in_flight


@pytest.mark.asyncio
async def test_a_customer_that_is_always_throttled_gets_few_calls_and_delays_no_other() -> None:
    def behave(customer: str, _: int) -> int:
        return 429 if customer == "dead" else 200

    async with serving(behave, deadline=5.0) as (transport, server):
        came = await ask_all(transport)

    assert came[False, 200, ""] == OTHERS
    assert server.asked["dead"] <= LIMITS.per_customer_in_flight


@pytest.mark.asyncio
async def test_a_server_that_only_fails_gets_only_the_calls_that_the_breaker_allows() -> None:
    """P18: if every call fails, the calls that the breaker lets through, and at most 100 more."""
    async with serving(lambda _, __: 503) as (transport, server):
        came = await ask_all(transport)

    assert set(came) <= {(d, s, c) for d in (True, False) for s, c in ((503, ""), (0, "breaker"))}
    assert server.asked.total() <= PARTNER_OPENS_AFTER + LIMITS.concurrency + 100
    assert server.asked.total() < ATTEMPTS * LIMITS.concurrency


@pytest.mark.asyncio
async def test_an_outage_that_ends_loses_no_answer() -> None:
    """Fault matrix row 13."""
    failing = range(50, 50 + PARTNER_OPENS_AFTER + LIMITS.concurrency + 5)

    async with serving(lambda _, nth: 503 if nth in failing else 200, haste=100) as (
        transport,
        server,
    ):
        came = await ask_all(transport)

    assert came[False, 200, ""] + came[True, 200, ""] == CUSTOMERS * CALLS
    assert server.asked.total() == CUSTOMERS * CALLS + len(failing)


@pytest.mark.asyncio
async def test_all_calls_end_at_the_deadline() -> None:
    """P21: calls in flight, calls in the queue, and calls that wait for an outage to end."""
    loop = asyncio.get_running_loop()

    async with serving(lambda _, nth: 0 if nth > 40 else 200, deadline=1.0) as (transport, _):
        began = loop.time()
        came = await ask_all(transport)

    assert loop.time() - began < 1.0 + 5.0
    assert {cause for _, status, cause in came if not status} <= {"deadline", "timeout", "breaker"}
