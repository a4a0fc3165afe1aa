"""The breakers: when calls stop, which calls wait, and which call probes for the end."""

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


class ManualClock:
    """A clock that moves when the test moves it or when code sleeps."""

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
async def test_the_breaker_opens_for_a_customer_that_never_answers_and_no_other() -> None:
    manual = ManualClock()
    await manual.answered("fine")
    await manual.fails(CUSTOMER_OPENS_AFTER - 1, "dead")
    assert await manual.ticket("dead") == GO

    await manual.fails(1, "dead")

    assert await manual.ticket("dead") is None
    assert await manual.ticket("fine") == GO
    assert await manual.ticket("dead", "list_skus") == GO, "another endpoint has its own breaker"
    assert await manual.ticket("") == GO


@pytest.mark.asyncio
async def test_a_success_in_between_keeps_the_breaker_closed() -> None:
    manual = ManualClock()
    for _ in range(5):
        await manual.fails(CUSTOMER_OPENS_AFTER - 1, "flaky")
        await manual.answered("flaky")

    assert await manual.ticket("flaky") == GO


@pytest.mark.asyncio
async def test_single_calls_probe_whether_the_customer_answers_again() -> None:
    manual = ManualClock()
    await manual.answered("fine")
    await manual.fails(CUSTOMER_OPENS_AFTER, "dead")

    probed_at = []
    for _ in range(7200):
        manual.now += 1
        if await manual.ticket("dead") == PROBE:
            probed_at.append(manual.now)
            manual.breakers.failed("check_inventory", "dead")

    waits = [b - a for a, b in itertools.pairwise(probed_at)]
    assert probed_at[0] == 1000 + CUSTOMER_PROBES_S[0]
    assert waits == sorted(waits)
    assert waits[-1] == CUSTOMER_PROBES_S[1]

    manual.now += CUSTOMER_PROBES_S[1]
    assert await manual.ticket("dead") == PROBE
    manual.breakers.answered("check_inventory", "dead")
    assert await manual.ticket("dead") == GO


@pytest.mark.asyncio
async def test_a_waiting_call_is_not_sent_after_the_breaker_opened() -> None:
    manual = ManualClock()
    await manual.answered("fine")
    waiting, others = await manual.ticket("dead"), await manual.ticket("fine")
    assert waiting is not None
    assert others is not None

    await manual.fails(CUSTOMER_OPENS_AFTER, "dead")

    assert not manual.breakers.still_holds(waiting, "check_inventory", "dead")
    assert manual.breakers.still_holds(others, "check_inventory", "fine")
    assert manual.breakers.still_holds(PROBE, "check_inventory", "dead")


@pytest.mark.asyncio
async def test_a_waiting_call_is_not_sent_after_the_partners_breaker_opened() -> None:
    manual = ManualClock()
    await manual.answered("a")
    assert manual.breakers.still_holds(GO, "check_inventory", "c")
    await manual.fails(PARTNER_OPENS_AFTER, "a", "b", "d")
    assert not manual.breakers.still_holds(GO, "check_inventory", "c")
    assert manual.breakers.still_holds(PROBE, "check_inventory", "c")


@pytest.mark.asyncio
async def test_a_customer_throttled_beyond_the_longest_wait_is_not_asked_again() -> None:
    manual = ManualClock()
    await manual.answered("throttled for ever")
    manual.breakers.gave_up("check_inventory", "throttled for ever")

    assert await manual.ticket("throttled for ever") is None


@pytest.mark.asyncio
async def test_failures_of_one_customer_do_not_open_the_partners_breaker() -> None:
    manual = ManualClock()
    await manual.answered("fine")
    await manual.fails(10 * PARTNER_OPENS_AFTER, "dead")

    assert await manual.ticket("fine") == GO
    assert manual.now == 1000


@pytest.mark.asyncio
@pytest.mark.parametrize("customers", [("a", "b"), ("",)])
async def test_before_the_first_answer_of_a_run_no_call_waits(customers: tuple[str, ...]) -> None:
    """So a missing server is reported at once."""
    manual = ManualClock()
    await manual.fails(PARTNER_OPENS_AFTER, *customers)

    assert await manual.ticket("c") is None
    assert manual.now == 1000
    manual.now += PARTNER_PROBES_S[0]
    assert await manual.ticket("c") == PROBE
    assert await manual.ticket("d") is None


@pytest.mark.asyncio
async def test_in_an_outage_calls_wait_and_probe_one_after_another() -> None:
    manual = ManualClock()
    await manual.answered("a")
    await manual.fails(PARTNER_OPENS_AFTER, "a", "b")

    probed_at = []
    while manual.now < 1600:
        assert await manual.ticket(f"c{manual.now}") == PROBE
        probed_at.append(manual.now)
        manual.breakers.failed("check_inventory", f"c{manual.now}")

    waits = [b - a for a, b in itertools.pairwise(probed_at)]
    assert probed_at[0] == 1000 + PARTNER_PROBES_S[0]
    assert waits == sorted(waits)
    assert waits[-1] == PARTNER_PROBES_S[1]
    assert len(probed_at) < 20

    manual.breakers.answered("check_inventory", "a")
    now = manual.now
    assert await manual.ticket("a") == GO
    assert manual.now == now


@pytest.mark.asyncio
async def test_the_waits_of_all_outages_together_are_limited() -> None:
    manual = ManualClock(outage_s=100)
    await manual.answered("a")
    for outage in (40, 30):
        await manual.fails(PARTNER_OPENS_AFTER, "a", "b")
        manual.now += outage
        manual.breakers.answered("check_inventory", "a")
    await manual.fails(PARTNER_OPENS_AFTER, "a", "b")
    began = manual.now

    while await manual.ticket("a") is not None:
        manual.breakers.failed("check_inventory", "a")

    assert manual.now == pytest.approx(began + 30)


@pytest.mark.parametrize(("worked_s", "expected"), [(0, 30), (29, 30), (300, 300), (7200, 900)])
def test_a_run_waits_as_long_as_it_has_worked_within_bounds(
    worked_s: float, expected: float
) -> None:
    assert Patience().after(worked_s) == expected


def test_one_waiting_call_probes_and_after_its_answer_all_go_on() -> None:
    """Fault matrix row 13: ten minutes of only errors, then every call is answered."""
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


def test_each_probe_is_made_by_another_call() -> None:
    """A failed probe uses up one of the three attempts of its call."""
    probes: Counter[int] = Counter()
    ended: list[float] = []

    async def main(clock: Callable[[], float]) -> None:
        breakers = Breakers(clock, asyncio.sleep, Patience(least_s=900))
        await breakers.ticket("check_inventory", "", 0)
        breakers.answered("check_inventory", "")
        for _ in range(PARTNER_OPENS_AFTER):
            breakers.failed("check_inventory", "")

        async def call(n: int) -> None:
            while (await breakers.ticket("check_inventory", f"c{n}", probes[n])) == PROBE:
                if clock() >= 300:
                    breakers.answered("check_inventory", f"c{n}")
                else:
                    probes[n] += 1
                    breakers.failed("check_inventory", f"c{n}")
            ended.append(clock())

        async with asyncio.TaskGroup() as calls:
            for n in range(12):
                calls.create_task(call(n))

    run_virtually(main)

    assert len(ended) == 12
    assert min(ended) >= 300
    assert 8 <= probes.total() <= 12
    assert max(probes.values()) == 1
