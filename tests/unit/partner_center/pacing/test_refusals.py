"""Which calls a 429 stops and for how long, on virtual time."""

import asyncio
from collections.abc import Callable

import pytest

from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.queue import WATCHED
from tests.builders.pacing import Start, call, limits
from tests.builders.virtual_time import run_virtually


def time_of_others(*dead: str) -> float:
    """Return when 20 calls of each other customer were answered; the dead ones are refused."""
    ended: list[float] = []

    async def main(clock: Callable[[], float]) -> None:
        async def one(customer: str) -> None:
            while True:
                async with pacer.slot("inventory", customer) as turn:
                    await asyncio.sleep(0.1)
                    if customer not in dead:
                        ended.append(clock())
                        return
                    turn.throttled(57)

        async with Pacer(limits(1200, per_customer=600, concurrency=64), clock=clock) as pacer:
            names = [f"c{n % 100}" for n in range(2000)]
            calls = [(name, asyncio.create_task(one(name))) for name in names]
            await asyncio.wait([task for name, task in calls if name not in dead])
            for _, task in calls:
                task.cancel()

    run_virtually(main)
    return max(ended)


def test_one_customer_refused_for_ever_delays_no_other() -> None:
    """P20: this holds while the other customers use up the partner's limit."""
    assert time_of_others("c0") <= 1.10 * time_of_others()


def test_a_customer_refused_again_without_an_answer_stops_only_itself() -> None:
    """Two refused at once look like the partner's limit, but only once and not every minute."""
    assert time_of_others("c0", "c1") <= 57 + 1.10 * time_of_others()


def test_a_refusal_stops_only_that_customer() -> None:
    """P19."""
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        pacer = Pacer(limits(600), clock=clock)
        async with pacer, asyncio.TaskGroup() as calls:
            async with pacer.slot("inventory", "refused") as turn:
                turn.throttled(57)
            for n in range(20):
                calls.create_task(call(pacer, clock, starts, ("refused", "other")[n % 2]))

    run_virtually(main)

    assert min(at for at, c in starts if c == "refused") >= 57
    assert max(at for at, c in starts if c == "other") < 3


@pytest.mark.parametrize("customers", [("",), ("a", "b")])
def test_refusals_of_several_customers_or_of_none_stop_the_partner(
    customers: tuple[str, ...],
) -> None:
    """P19: all calls of this API class stop, not only one; the other API class goes on."""
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        pacer = Pacer(limits(600), clock=clock)
        async with pacer, asyncio.TaskGroup() as calls:
            for customer in customers:
                async with pacer.slot("inventory", customer) as turn:
                    turn.throttled(57)
            for n in range(5):
                calls.create_task(call(pacer, clock, starts, f"c{n}"))
            async with pacer.slot("catalog"):
                assert clock() < 1

    run_virtually(main)

    assert len(starts) == 5
    assert min(at for at, _ in starts) >= 57


async def refused(pacer: Pacer, customer: str, wait_s: float = 57) -> None:
    async with pacer.slot("inventory", customer) as turn:
        turn.throttled(wait_s)


@pytest.mark.parametrize("between", [WATCHED - 1, WATCHED])
def test_refusals_with_many_answers_between_stop_only_their_customers(between: int) -> None:
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        async with Pacer(limits(6000), clock=clock) as pacer:
            await refused(pacer, "a")
            for n in range(between):
                await call(pacer, clock, [], f"fine{n}")
            await refused(pacer, "b")
            await call(pacer, clock, starts, "other")

    run_virtually(main)

    assert (starts[0][0] >= 57) is (between < WATCHED)


def test_answers_of_the_refused_customer_itself_do_not_count_between() -> None:
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        async with Pacer(limits(6000), clock=clock) as pacer:
            await refused(pacer, "a", wait_s=0)
            for _ in range(2 * WATCHED):
                await call(pacer, clock, [], "a")
            await refused(pacer, "b")
            await call(pacer, clock, starts, "other")

    run_virtually(main)

    assert starts[0][0] >= 57


@pytest.mark.parametrize(("apart_s", "stops_partner"), [(59, True), (61, False)])
def test_two_refusals_within_a_minute_stop_the_partner(apart_s: float, stops_partner: bool) -> None:
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        async with Pacer(limits(6000), clock=clock) as pacer:
            await refused(pacer, "a")
            await asyncio.sleep(apart_s)
            await refused(pacer, "b")
            await call(pacer, clock, starts, "other")

    run_virtually(main)

    assert (starts[0][0] >= apart_s + 57) is stops_partner


def test_after_a_refusal_the_rate_is_halved_and_rises_again() -> None:
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        pacer = Pacer(limits(120), clock=clock)
        async with pacer, asyncio.TaskGroup() as calls:
            await call(pacer, clock, [], "")
            await asyncio.sleep(30)
            async with pacer.slot("inventory") as turn:
                turn.throttled(0)
            for n in range(900):
                calls.create_task(call(pacer, clock, starts, f"c{n}"))

    run_virtually(main)

    def within(start: float, end: float) -> int:
        return sum(start <= at - 30 < end for at, _ in starts)

    assert within(0, 6) <= 8, "about half of 12"
    assert within(0, 6) < within(12, 18) < within(40, 46) <= 12
    assert 117 <= within(300, 360) <= 120


@pytest.mark.parametrize("customer", ["", "c"])
def test_a_refusal_also_stops_a_call_that_waits_for_its_permit(customer: str) -> None:
    """P19."""
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        pacer = Pacer(limits(60), clock=clock)
        async with pacer, asyncio.TaskGroup() as calls, pacer.slot("inventory", customer) as turn:
            calls.create_task(call(pacer, clock, starts, customer))
            await asyncio.sleep(0.5)
            turn.throttled(57)

    run_virtually(main)

    assert starts[0][0] >= 57.5
