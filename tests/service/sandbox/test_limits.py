"""Throttling by a sliding window of sixty seconds, with a clock that the test moves."""

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.sandbox import Sandbox, ServerLimits, World, WorldSize
from auditor.sandbox.server.limits import Limiter


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_window_slides() -> None:
    clock = Clock()
    limiter = Limiter(ServerLimits(per_partner={"catalog": 2}, per_customer={}), clock)
    assert limiter.admit("p", "", "catalog") == 0
    clock.now += 30
    assert limiter.admit("p", "", "catalog") == 0
    assert limiter.admit("p", "", "catalog") == 30
    clock.now += 29.5
    assert limiter.admit("p", "", "catalog") == 1
    clock.now += 0.5
    assert limiter.admit("p", "", "catalog") == 0
    assert limiter.admit("p", "", "catalog") == 30


def test_a_window_may_be_shorter_than_a_minute() -> None:
    clock = Clock()
    limiter = Limiter(ServerLimits(per_partner={"catalog": 1}, per_customer={}, window_s=2), clock)
    assert limiter.admit("p", "", "catalog") == 0
    assert limiter.admit("p", "", "catalog") == 2
    clock.now += 2
    assert limiter.admit("p", "", "catalog") == 0


def test_limits_are_separate_for_each_partner_customer_and_class() -> None:
    limiter = Limiter(
        ServerLimits(per_partner={"catalog": 3}, per_customer={"catalog": 1}), Clock()
    )
    assert limiter.admit("p", "a", "catalog") == 0
    assert limiter.admit("p", "a", "catalog") == 60
    assert limiter.admit("p", "b", "catalog") == 0
    assert limiter.admit("p", "", "catalog") == 0
    assert limiter.admit("p", "c", "catalog") == 60
    assert limiter.admit("q", "a", "catalog") == 0
    assert limiter.admit("p", "a", "customers") == 0


def test_a_limit_of_nothing_admits_nothing() -> None:
    limiter = Limiter(ServerLimits(per_partner={"catalog": 0}, per_customer={}), Clock())
    assert limiter.admit("p", "", "catalog") == 60


@given(
    limit=st.integers(1, 5),
    # Eighths of a second add up exactly.
    steps=st.lists(st.integers(0, 320).map(lambda eighths: eighths / 8), max_size=60),
)
def test_no_window_has_more_than_the_limit_and_the_returned_wait_is_enough(
    limit: int, steps: list[float]
) -> None:
    clock = Clock()
    limiter = Limiter(ServerLimits(per_partner={"catalog": limit}, per_customer={}), clock)
    admitted: list[float] = []
    for step in steps:
        clock.now += step
        wait = limiter.admit("p", "", "catalog")
        if wait:
            clock.now += wait
            assert limiter.admit("p", "", "catalog") == 0
        admitted.append(clock.now)
        assert sum(one > clock.now - 60 for one in admitted) <= limit


@pytest.mark.asyncio
async def test_too_many_calls_get_the_documented_429_until_the_window_has_passed() -> None:
    clock = Clock()
    world = World(1, WorldSize(customers=4, products=1, regions=1, sizes_per_product=1))
    token = world.partners()[0].token
    limits = ServerLimits(per_partner={"customers": 2}, per_customer={})
    async with Sandbox(world, limits=limits, clock=clock) as sandbox:
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(sandbox.base_url, headers=headers) as session:

            async def status() -> int:
                async with session.get("/v1/customers") as response:
                    await response.read()
                    return response.status

            assert [await status(), await status()] == [200, 200]
            clock.now += 3
            async with session.get("/v1/customers") as response:
                assert response.status == 429
                assert response.headers["Retry-After"] == "57"
                assert await response.json() == {
                    "statusCode": 429,
                    "message": "Rate limit is exceeded. Try again in 57 seconds.",
                }
            async with session.get("/v1/countryvalidationrules/DE") as response:
                assert response.status == 200
            clock.now += 57
            assert await status() == 200
            sandbox.limits = ServerLimits(per_partner={"customers": 1}, per_customer={})
            assert await status() == 429
            sandbox.limits = ServerLimits()
            assert await status() == 200
        throttled = [record for record in sandbox.log.records if record.throttled]
        assert [record.status for record in throttled] == [429, 429]
        times = [record.time for record in sandbox.log.of("customers")]
        assert max(sum(0 <= other - time < 60 for other in times) for time in times) == 4
