"""What the transport sends, and when it sends it again, as the server records it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace

import asyncio_throttle.throttler
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from auditor.errors import SettingsError
from auditor.model import ApiClass, Request
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.rates import PaceLimits
from auditor.partner_center.retry import MOST_WAITS, RetryBudget
from auditor.partner_center.tokens import GivenToken, TokenSource
from auditor.partner_center.transport import Transport
from auditor.secret import Secret

LIMITS = PaceLimits(per_minute=dict.fromkeys(ApiClass, 1e6), per_customer=1e6, concurrency=8)
START = datetime(2026, 11, 21, 2, 0, 0, tzinfo=UTC)
ASK = Request(
    endpoint="get_sku",
    method="GET",
    path="/v1/products/P/skus/0001",
    params=(("country", "US"), ("reservationScope", "AzurePlan")),
    api_class=ApiClass.CATALOG,
)
CHECK = Request(
    endpoint="check_inventory",
    method="POST",
    path="/v1/extensions/product/checkInventory",
    params=(("country", "US"),),
    headers=(("X-Extra", "1"),),
    body=b'{"TargetItems":[]}',
    api_class=ApiClass.INVENTORY,
    customer_id="c",
)
Scripted = tuple[int, dict[str, str]]


class Time:
    """A clock that moves only when `sleep` is called."""

    def __init__(self) -> None:
        self.at = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.at

    def now(self) -> datetime:
        return START + timedelta(seconds=self.at)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


class Seen:
    """A server that records its requests and their times, and answers from a script."""

    def __init__(self, time: Time, script: Sequence[Scripted]) -> None:
        self.time = time
        self.script = script
        self.requests: list[web.Request] = []
        self.at: list[float] = []
        self.bodies: list[bytes] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        self.at.append(self.time.at)
        self.bodies.append(await request.read())
        status, headers = self.script[min(len(self.requests), len(self.script)) - 1]
        return web.Response(status=status, headers=headers, body=b"[]")

    def header(self, name: str) -> list[str]:
        return [request.headers[name] for request in self.requests]


@asynccontextmanager
async def serving(
    script: Sequence[Scripted],
    *,
    tokens: TokenSource | None = None,
    deadline: float | None = None,
    budget: RetryBudget | None = None,
) -> AsyncIterator[tuple[Transport, Seen, Time]]:
    time = Time()
    seen = Seen(time, script)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", seen.handle)
    ids = count(1)
    with pytest.MonkeyPatch.context() as patch:
        # The library has no parameter for a clock.
        patch.setattr(asyncio_throttle.throttler, "time", SimpleNamespace(monotonic=time.clock))
        async with (
            TestServer(app) as server,
            Pacer(LIMITS, clock=time.clock, sleep=time.sleep) as pacer,
            Transport(
                str(server.make_url("/")),
                tokens or GivenToken(Secret("bearer-of-tests")),
                pacer,
                clock=time.clock,
                now=time.now,
                sleep=time.sleep,
                random=lambda: 1.0,
                ids=lambda: f"id-{next(ids)}",
                deadline=deadline,
                budget=budget,
            ) as transport,
        ):
            yield transport, seen, time


@pytest.mark.asyncio
async def test_a_request_goes_out_as_documented() -> None:
    async with serving([(200, {})]) as (transport, seen, time):
        reply = await transport.send(CHECK)

    [request] = seen.requests
    assert (request.method, request.path_qs) == (
        "POST",
        "/v1/extensions/product/checkInventory?country=US",
    )
    sent = {name: request.headers[name] for name in request.headers}
    assert sent["Authorization"] == "Bearer bearer-of-tests"
    assert sent["Accept"] == "application/json"
    assert sent["X-Locale"] == "en-US"
    assert sent["MS-PartnerCenter-Client"] == "csp-sku-auditor"
    assert sent["Content-Type"] == "application/json"
    assert sent["X-Extra"] == "1"
    assert seen.bodies == [CHECK.body]
    assert (reply.status, reply.body, reply.cause, reply.attempts) == (200, b"[]", "", 1)
    assert reply.sent_at == time.now()
    assert (reply.correlation_id, reply.request_id) == ("id-1", "id-2")


@pytest.mark.asyncio
async def test_doubled_ids_are_split_and_odd_ids_are_not_used() -> None:
    """S21."""
    doubled = {"MS-RequestId": "r-9,r-9", "MS-CorrelationId": "c-9, c-9"}
    odd = {"MS-RequestId": "x" * 100, "MS-CorrelationId": "<b>"}
    async with serving([(200, doubled), (200, odd)]) as (transport, _, _):
        first, second = await transport.send(ASK), await transport.send(ASK)

    assert (first.request_id, first.correlation_id) == ("r-9", "c-9")
    assert (second.request_id, second.correlation_id) == ("id-4", "id-3")


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
async def test_a_passing_fault_is_tried_three_times(status: int) -> None:
    """P18."""
    async with serving([(status, {})]) as (transport, seen, time):
        reply = await transport.send(ASK)

    assert (reply.status, reply.attempts) == (status, 3)
    assert len(seen.requests) == 3
    assert time.slept == [0.5, 1.0]


@pytest.mark.asyncio
async def test_a_fault_that_passes_costs_one_retry() -> None:
    async with serving([(503, {}), (200, {})]) as (transport, seen, _):
        reply = await transport.send(CHECK)

    assert (reply.status, reply.attempts) == (200, 2)
    assert seen.bodies == [CHECK.body] * 2


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [200, 204, 301, 302, 303, 307, 308, 400, 403, 404, 409])
async def test_an_answer_is_an_answer(status: int) -> None:
    """S2: no redirect is followed."""
    there = {"Location": "http://127.0.0.1:9/elsewhere"}
    async with serving([(status, there)]) as (transport, seen, _):
        reply = await transport.send(CHECK)

    assert reply.status == status
    assert len(seen.requests) == 1


@pytest.mark.asyncio
async def test_the_request_id_is_new_after_a_reply_and_the_correlation_id_stays() -> None:
    async with serving([(503, {}), (429, {"Retry-After": "1"}), (200, {})]) as (transport, seen, _):
        await transport.send(ASK)
        await transport.send(ASK)

    assert seen.header("MS-RequestId") == ["id-2", "id-3", "id-4", "id-6"]
    assert seen.header("MS-CorrelationId") == ["id-1", "id-1", "id-1", "id-5"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("header", "waited_s"),
    [
        ({"Retry-After": "57"}, 57),
        ({"Retry-After": "Sat, 21 Nov 2026 02:00:57 GMT"}, 57),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": "soon"}, 10),
        ({}, 10),
        ({"Retry-After": "86400"}, 600),
    ],
)
async def test_the_retry_after_of_a_429_is_kept(header: dict[str, str], waited_s: float) -> None:
    """P19."""
    async with serving([(429, header), (200, {})]) as (transport, seen, _):
        reply = await transport.send(CHECK)

    assert (reply.status, reply.attempts, reply.throttled) == (200, 2, 1)
    assert seen.at[1] - seen.at[0] >= waited_s
    assert seen.at[1] - seen.at[0] < waited_s + 1


@pytest.mark.asyncio
async def test_a_429_stops_the_customers_other_calls_too() -> None:
    """P19: all calls of the customer are paused, not only one task."""
    async with serving([(429, {"Retry-After": "57"}), (200, {})]) as (transport, seen, time):
        await transport.send(CHECK)
        first_free = time.at
        await transport.send(CHECK)

    assert first_free >= 57
    assert seen.at[0] == 0
    assert min(seen.at[1:]) >= 57


@pytest.mark.asyncio
async def test_waits_for_a_429_use_up_no_attempts() -> None:
    """P18."""
    wait = (429, {"Retry-After": "57"})
    script = [wait, wait, (503, {}), wait, (503, {}), wait, (200, {})]
    async with serving(script) as (transport, _, _):
        reply = await transport.send(ASK)

    assert (reply.status, reply.attempts, reply.throttled) == (200, 7, 4)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("header", "sent"), [("57", 11), ("86400", 2), ("0", MOST_WAITS + 1), ("600", 2)]
)
async def test_waiting_ends(header: str, sent: int) -> None:
    """P19: after ten minutes in all, or after `MOST_WAITS` waits."""
    async with serving([(429, {"Retry-After": header})]) as (transport, seen, _):
        reply = await transport.send(ASK)

    assert (reply.status, reply.cause) == (429, "throttled")
    assert len(seen.requests) == sent


@pytest.mark.asyncio
async def test_the_retry_after_of_a_503_is_kept_up_to_20_seconds() -> None:
    script = [(503, {"Retry-After": "7"}), (503, {"Retry-After": "999"}), (200, {})]
    async with serving(script) as (transport, _, time):
        await transport.send(ASK)

    assert time.slept == [7.0, 20.0]


@pytest.mark.asyncio
async def test_nothing_is_sent_after_the_deadline() -> None:
    """P21."""
    async with serving([(200, {})], deadline=100) as (transport, seen, time):
        time.at = 100.0
        reply = await transport.send(ASK)

    assert (reply.status, reply.cause, reply.attempts) == (0, "deadline", 0)
    assert seen.requests == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("script", "status", "cause"),
    [((429, {"Retry-After": "57"}), 429, "throttled"), ((503, {"Retry-After": "20"}), 503, "")],
)
async def test_the_deadline_ends_waiting(script: Scripted, status: int, cause: str) -> None:
    async with serving([script], deadline=15) as (transport, seen, _):
        reply = await transport.send(ASK)

    assert (reply.status, reply.cause) == (status, cause)
    assert len(seen.requests) == 1


@pytest.mark.asyncio
async def test_all_calls_together_keep_to_the_retry_budget() -> None:
    """P18: if all calls fail, retries are a tenth of the calls plus the floor, not double."""
    async with serving([(500, {})], budget=RetryBudget(floor=10)) as (transport, seen, _):
        for _ in range(100):
            await transport.send(ASK)

    assert len(seen.requests) <= 1.10 * 100 + 10


@pytest.mark.asyncio
async def test_a_call_that_still_waits_at_the_deadline_is_not_sent() -> None:
    time = Time()
    one_a_minute = PaceLimits(per_minute=dict.fromkeys(ApiClass, 1), per_customer=1, concurrency=1)
    async with (
        Pacer(one_a_minute) as pacer,
        Transport(
            "http://127.0.0.1:9", GivenToken(Secret("t")), pacer, clock=time.clock, deadline=0.05
        ) as transport,
        pacer.slot(ASK.api_class),
    ):
        reply = await transport.send(ASK)

    assert (reply.status, reply.cause, reply.attempts) == (0, "deadline", 0)


@pytest.mark.asyncio
async def test_sending_outside_the_async_with_block_is_a_programming_error() -> None:
    async with Pacer(LIMITS) as pacer:
        transport = Transport("http://127.0.0.1:9", GivenToken(Secret("t")), pacer)
        with pytest.raises(RuntimeError):
            await transport.send(ASK)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "url",
    [
        "http://api.partnercenter.microsoft.com",
        "http://10.0.0.1",
        "http://127.0.0.1.evil.example",
        "http://localhost@evil.example",
        "ftp://127.0.0.1",
        "https://user:pw@api.partnercenter.microsoft.com",
        "https://",
        "//x",
        "https://x/?q=1",
        "http://[::1",
    ],
)
async def test_a_base_url_that_would_leak_the_token_is_refused(url: str) -> None:
    """S4."""
    async with Pacer(LIMITS) as pacer:
        with pytest.raises(SettingsError) as caught:
            Transport(url, GivenToken(Secret("t")), pacer)
    assert "pw" not in str(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/", "http://[::1]:1", "http://localhost", "https://x.example"]
)
async def test_https_and_this_machine_are_fine(url: str) -> None:
    async with Pacer(LIMITS) as pacer:
        Transport(url, GivenToken(Secret("t")), pacer)
