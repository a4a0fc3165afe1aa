"""When nobody is asked for a while, who waits, and who sees whether it is over."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable

import pytest

from auditor.partner_center.breaker import (
    CUSTOMER_OPENS_AFTER,
    CUSTOMER_PROBES_S,
    PARTNER_OPENS_AFTER,
    PARTNER_PROBES_S,
    Breakers,
    Patience,
    Ticket,
)
from tests.builders.virtual_time import run_virtually

GO = Ticket()
PROBE = Ticket(is_probe=True)


class Hand:
    """A clock that the test moves, and that moves when somebody sleeps."""

    def __init__(self, outage_s: float = 900.0) -> None:
        self.now = 1000.0
        patience = Patience(least_s=outage_s, outage_s=outage_s)
        self.breakers = Breakers(self.clock, self.sleep, patience)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    async def ticket(self, customer: str, endpoint: str = "check_inventory") -> Ticket | None:
        return await self.breakers.ticket(endpoint, customer, 0)

    async def answered(self, customer: str, endpoint: str = "check_inventory") -> None:
        await self.ticket(customer, endpoint)
        self.breakers.answered(endpoint, customer)

    async def fails(self, times: int, *customers: str, endpoint: str = "check_inventory") -> None:
        for n in range(times):
            customer = customers[n % len(customers)]
            await self.ticket(customer, endpoint)
            self.breakers.failed(endpoint, customer)


@pytest.mark.asyncio
async def test_a_customer_that_never_answers_is_answered_for_and_nobody_else() -> None:
    hand = Hand()
    await hand.answered("fine")
    await hand.fails(CUSTOMER_OPENS_AFTER - 1, "dead")
    assert await hand.ticket("dead") == GO

    await hand.fails(1, "dead")

    assert await hand.ticket("dead") is None
    assert await hand.ticket("fine") == GO
    assert await hand.ticket("dead", "list_skus") == GO, "another endpoint is another matter"
    assert await hand.ticket("") == GO


@pytest.mark.asyncio
async def test_a_success_in_between_keeps_it_closed() -> None:
    hand = Hand()
    for _ in range(5):
        await hand.fails(CUSTOMER_OPENS_AFTER - 1, "flaky")
        await hand.answered("flaky")

    assert await hand.ticket("flaky") == GO


@pytest.mark.asyncio
async def test_one_call_now_and_then_sees_whether_the_customer_is_back() -> None:
    hand = Hand()
    await hand.answered("fine")
    await hand.fails(CUSTOMER_OPENS_AFTER, "dead")

    probed_at = []
    for _ in range(7200):
        hand.now += 1
        if await hand.ticket("dead") == PROBE:
            probed_at.append(hand.now)
            hand.breakers.failed("check_inventory", "dead")

    waits = [b - a for a, b in itertools.pairwise(probed_at)]
    assert probed_at[0] == 1000 + CUSTOMER_PROBES_S[0]
    assert waits == sorted(waits)
    assert waits[-1] == CUSTOMER_PROBES_S[1]

    hand.now += CUSTOMER_PROBES_S[1]
    assert await hand.ticket("dead") == PROBE
    hand.breakers.answered("check_inventory", "dead")
    assert await hand.ticket("dead") == GO


@pytest.mark.asyncio
async def test_a_call_whose_turn_comes_after_the_breaker_opened_is_not_sent() -> None:
    hand = Hand()
    await hand.answered("fine")
    waiting, others = await hand.ticket("dead"), await hand.ticket("fine")
    assert waiting is not None
    assert others is not None

    await hand.fails(CUSTOMER_OPENS_AFTER, "dead")

    assert not hand.breakers.still_holds(waiting, "check_inventory", "dead")
    assert hand.breakers.still_holds(others, "check_inventory", "fine")
    assert hand.breakers.still_holds(PROBE, "check_inventory", "dead")


@pytest.mark.asyncio
async def test_nor_is_one_that_waited_while_everything_came_to_nothing() -> None:
    hand = Hand()
    await hand.answered("a")
    assert hand.breakers.still_holds(GO, "check_inventory", "c")
    await hand.fails(PARTNER_OPENS_AFTER, "a", "b", "d")
    assert not hand.breakers.still_holds(GO, "check_inventory", "c")
    assert hand.breakers.still_holds(PROBE, "check_inventory", "c")


@pytest.mark.asyncio
async def test_who_waited_in_vain_for_as_long_as_one_may_is_not_asked_again() -> None:
    hand = Hand()
    await hand.answered("throttled for ever")
    hand.breakers.gave_up("check_inventory", "throttled for ever")

    assert await hand.ticket("throttled for ever") is None


@pytest.mark.asyncio
async def test_failures_of_one_customer_say_nothing_of_the_partner() -> None:
    hand = Hand()
    await hand.answered("fine")
    await hand.fails(10 * PARTNER_OPENS_AFTER, "dead")

    assert await hand.ticket("fine") == GO
    assert hand.now == 1000


@pytest.mark.asyncio
@pytest.mark.parametrize("customers", [("a", "b"), ("",)])
async def test_before_the_first_answer_of_a_run_nobody_waits(customers: tuple[str, ...]) -> None:
    """A server that is not there is told at once."""
    hand = Hand()
    await hand.fails(PARTNER_OPENS_AFTER, *customers)

    assert await hand.ticket("c") is None
    assert hand.now == 1000
    hand.now += PARTNER_PROBES_S[0]
    assert await hand.ticket("c") == PROBE
    assert await hand.ticket("d") is None


@pytest.mark.asyncio
async def test_in_an_outage_calls_wait_and_one_after_another_sees_whether_it_is_over() -> None:
    hand = Hand()
    await hand.answered("a")
    await hand.fails(PARTNER_OPENS_AFTER, "a", "b")

    probed_at = []
    while hand.now < 1600:
        assert await hand.ticket(f"c{hand.now}") == PROBE
        probed_at.append(hand.now)
        hand.breakers.failed("check_inventory", f"c{hand.now}")

    waits = [b - a for a, b in itertools.pairwise(probed_at)]
    assert probed_at[0] == 1000 + PARTNER_PROBES_S[0]
    assert waits == sorted(waits)
    assert waits[-1] == PARTNER_PROBES_S[1]
    assert len(probed_at) < 20

    hand.breakers.answered("check_inventory", "a")
    now = hand.now
    assert await hand.ticket("a") == GO
    assert hand.now == now


@pytest.mark.asyncio
async def test_an_outage_is_waited_for_no_longer_than_told_in_all() -> None:
    hand = Hand(outage_s=100)
    await hand.answered("a")
    for outage in (40, 30):
        await hand.fails(PARTNER_OPENS_AFTER, "a", "b")
        hand.now += outage
        hand.breakers.answered("check_inventory", "a")
    await hand.fails(PARTNER_OPENS_AFTER, "a", "b")
    began = hand.now

    while await hand.ticket("a") is not None:
        hand.breakers.failed("check_inventory", "a")

    assert hand.now == pytest.approx(began + 30)


@pytest.mark.parametrize(("worked_s", "expected"), [(0, 30), (29, 30), (300, 300), (7200, 900)])
def test_a_run_waits_as_long_as_it_has_been_at_work_within_bounds(
    worked_s: float, expected: float
) -> None:
    assert Patience().after(worked_s) == expected


def test_of_many_that_wait_one_goes_and_when_it_is_answered_all() -> None:
    """Fault matrix row 13: ten minutes of nothing but errors, then all is well again."""
    attempts: list[tuple[float, bool]] = []
    ended: list[float] = []

    async def main(clock: Callable[[], float]) -> None:
        breakers = Breakers(clock, asyncio.sleep, Patience())

        async def call(customer: str) -> None:
            while (ticket := await breakers.ticket("check_inventory", customer, 0)) is not None:
                is_well = not 705 <= clock() < 1305
                attempts.append((clock(), is_well))
                await asyncio.sleep(0.1)
                if is_well:
                    assert ticket is not None
                    breakers.answered("check_inventory", customer)
                    ended.append(clock())
                    return
                breakers.failed("check_inventory", customer)

        async with asyncio.TaskGroup() as calls:
            for n in range(1000):
                calls.create_task(call(f"c{n % 50}"))
                await asyncio.sleep(0.01 if n else 700)

    run_virtually(main)

    assert len(ended) == 1000
    assert max(ended) < 1305 + PARTNER_PROBES_S[1] + 5
    assert sum(not is_well for _, is_well in attempts) <= PARTNER_OPENS_AFTER + 100


def test_who_sees_whether_it_is_over_is_another_each_time() -> None:
    """A look that fails is an attempt gone, and a call has three."""
    looked: Counter[int] = Counter()
    ended: list[float] = []

    async def main(clock: Callable[[], float]) -> None:
        breakers = Breakers(clock, asyncio.sleep, Patience(least_s=900))
        await breakers.ticket("check_inventory", "", 0)
        breakers.answered("check_inventory", "")
        for _ in range(PARTNER_OPENS_AFTER):
            breakers.failed("check_inventory", "")

        async def call(n: int) -> None:
            while (await breakers.ticket("check_inventory", f"c{n}", looked[n])) == PROBE:
                if clock() >= 300:
                    breakers.answered("check_inventory", f"c{n}")
                else:
                    looked[n] += 1
                    breakers.failed("check_inventory", f"c{n}")
            ended.append(clock())

        async with asyncio.TaskGroup() as calls:
            for n in range(12):
                calls.create_task(call(n))

    run_virtually(main)

    assert len(ended) == 12
    assert min(ended) >= 300
    assert 8 <= looked.total() <= 12
    assert max(looked.values()) == 1
