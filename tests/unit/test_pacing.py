"""Pacing on a clock that the tests move: hours of it pass in no time."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from pacing_bench import Start, call, limits, most_in_any
from virtual_time import run_virtually

from auditor.partner_center.line import WATCHED, Customer
from auditor.partner_center.pacing import Pacer

Run = Callable[[Callable[[Callable[[], float]], Awaitable[None]]], None]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a coroutine function, which is given the clock, on that clock."""

    def runner(main: Callable[[Callable[[], float]], Awaitable[None]]) -> None:
        run_virtually(monkeypatch, main)

    return runner


@pytest.mark.parametrize("per_minute", [1, 7, 250, 600, 1000, 3333])
def test_no_minute_holds_more_than_the_limit_and_hardly_less(run: Run, per_minute: int) -> None:
    """P17."""
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        async with Pacer(limits(per_minute), clock=clock) as pacer, asyncio.TaskGroup() as calls:
            for n in range(2 * per_minute + 1):
                calls.create_task(call(pacer, clock, starts, f"c{n % 5}"))

    run(main)

    assert len(starts) == 2 * per_minute + 1
    assert most_in_any(60, starts) <= per_minute
    assert most_in_any(1, starts) <= per_minute / 60 * 1.1 + 1
    assert starts[-1][0] <= 120 * 1.03 + 1


def test_no_minute_of_a_customer_holds_more_than_its_limit(run: Run) -> None:
    """P17."""
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        pacer = Pacer(limits(6000, per_customer=120), clock=clock)
        async with pacer, asyncio.TaskGroup() as calls:
            for n in range(400):
                calls.create_task(call(pacer, clock, starts, "busy"))
                if n % 40 == 0:
                    calls.create_task(call(pacer, clock, starts, f"c{n}"))

    run(main)

    busy = [s for s in starts if s[1] == "busy"]
    assert most_in_any(60, busy) <= 120
    assert most_in_any(6, busy) <= 12
    assert busy[11][0] < 1, "a few calls need not wait for each other"
    assert max(at for at, who in starts if who != "busy") < 3, "others do not wait for it"


def test_customers_take_turns_and_each_is_served_in_order(run: Run) -> None:
    served: list[tuple[str, int]] = []

    async def main(clock: Callable[[], float]) -> None:
        async def numbered(customer: str, n: int) -> None:
            async with pacer.slot("inventory", customer):
                served.append((customer, n))

        pacer = Pacer(limits(600), clock=clock)
        async with pacer, asyncio.TaskGroup() as calls:
            for n in range(20):
                calls.create_task(numbered("large", n))
            for n in range(3):
                calls.create_task(numbered("small", n))

    run(main)

    assert [n for c, n in served if c == "large"] == list(range(20))
    assert [n for c, n in served if c == "small"] == list(range(3))
    assert {c for c, _ in served[:6]} == {"large", "small"}
    assert sum(c == "small" for c, _ in served[:6]) == 3


def test_no_more_at_once_than_there_are_connections(run: Run) -> None:
    at_once: list[int] = []
    inside: Counter[str] = Counter()

    async def main(clock: Callable[[], float]) -> None:
        async def held(api_class: str, customer: str) -> None:
            async with pacer.slot(api_class, customer):
                inside[customer] += 1
                at_once.append(inside.total())
                assert inside[customer] <= 2, "a customer that hangs holds its share only"
                await asyncio.sleep(5)
                inside[customer] -= 1

        pacer = Pacer(limits(60_000, concurrency=32), clock=clock)
        async with pacer, asyncio.TaskGroup() as calls:
            for n in range(300):
                calls.create_task(held(("inventory", "catalog")[n % 2], f"c{n % 100 // 2}"))

    run(main)

    assert max(at_once) == 32


def test_a_permit_is_taken_when_a_connection_is_free_not_before(run: Run) -> None:
    """Permits hoarded while connections were busy would all be spent in one instant."""
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        pacer = Pacer(limits(1200, concurrency=4), clock=clock)
        async with pacer, asyncio.TaskGroup() as calls:
            for n in range(4):
                calls.create_task(call(pacer, clock, starts, f"slow{n}", 30))
            for n in range(100):
                calls.create_task(call(pacer, clock, starts, f"c{n}"))

    run(main)

    assert most_in_any(1, starts) <= 21


def test_one_customer_that_hangs_delays_nobody(run: Run) -> None:
    """P20: with 1 of 100 customers dead, the others take at most 1.10 of their time."""

    def time_of_others(dead: str) -> float:
        starts: list[Start] = []
        ended: list[float] = []

        async def main(clock: Callable[[], float]) -> None:
            async def one(customer: str) -> None:
                await call(pacer, clock, starts, customer, 60 if customer == dead else 0.2)
                if customer != dead:
                    ended.append(clock())

            pacer = Pacer(limits(60_000, concurrency=64), clock=clock)
            async with pacer, asyncio.TaskGroup() as calls:
                for n in range(5000):
                    if dead or n % 100:
                        calls.create_task(one(f"c{n % 100}"))

        run(main)
        return max(ended)

    assert time_of_others("c0") <= 1.10 * time_of_others("")


def time_of_others(run: Run, *dead: str) -> float:
    """Return when twenty calls of each other customer were answered, while the dead are refused."""
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

    run(main)
    return max(ended)


def test_one_customer_refused_for_ever_delays_nobody(run: Run) -> None:
    """P20, where the partner's own limit is used up by the others."""
    assert time_of_others(run, "c0") <= 1.10 * time_of_others(run)


def test_refused_again_with_nothing_let_through_a_customer_is_refused_for_itself(run: Run) -> None:
    """Two refused at once look like the partner's limit; they do so once, not every minute."""
    assert time_of_others(run, "c0", "c1") <= 57 + 1.10 * time_of_others(run)


def test_a_refusal_stops_that_customer_alone(run: Run) -> None:
    """P19."""
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        pacer = Pacer(limits(600), clock=clock)
        async with pacer, asyncio.TaskGroup() as calls:
            async with pacer.slot("inventory", "refused") as turn:
                turn.throttled(57)
            for n in range(20):
                calls.create_task(call(pacer, clock, starts, ("refused", "other")[n % 2]))

    run(main)

    assert min(at for at, c in starts if c == "refused") >= 57
    assert max(at for at, c in starts if c == "other") < 3


@pytest.mark.parametrize("customers", [("",), ("a", "b")])
def test_a_refusal_of_several_or_of_nobody_stops_the_partner(
    run: Run, customers: tuple[str, ...]
) -> None:
    """P19: the gate is stopped, not one task; the other API class goes on."""
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

    run(main)

    assert len(starts) == 5
    assert min(at for at, _ in starts) >= 57


async def refused(pacer: Pacer, customer: str, wait_s: float = 57) -> None:
    async with pacer.slot("inventory", customer) as turn:
        turn.throttled(wait_s)


@pytest.mark.parametrize("between", [WATCHED - 1, WATCHED])
def test_two_refused_with_many_answers_between_them_are_refused_each_for_itself(
    run: Run, between: int
) -> None:
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        async with Pacer(limits(6000), clock=clock) as pacer:
            await refused(pacer, "a")
            for n in range(between):
                await call(pacer, clock, [], f"fine{n}")
            await refused(pacer, "b")
            await call(pacer, clock, starts, "other")

    run(main)

    assert (starts[0][0] >= 57) is (between < WATCHED)


def test_answers_of_a_refused_customer_itself_tell_nothing_of_the_partner(run: Run) -> None:
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        async with Pacer(limits(6000), clock=clock) as pacer:
            await refused(pacer, "a", wait_s=0)
            for _ in range(2 * WATCHED):
                await call(pacer, clock, [], "a")
            await refused(pacer, "b")
            await call(pacer, clock, starts, "other")

    run(main)

    assert starts[0][0] >= 57


@pytest.mark.parametrize(("apart_s", "is_the_partners"), [(59, True), (61, False)])
def test_two_refusals_within_a_minute_are_the_partners(
    run: Run, apart_s: float, is_the_partners: bool
) -> None:
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        async with Pacer(limits(6000), clock=clock) as pacer:
            await refused(pacer, "a")
            await asyncio.sleep(apart_s)
            await refused(pacer, "b")
            await call(pacer, clock, starts, "other")

    run(main)

    assert (starts[0][0] >= apart_s + 57) is is_the_partners


def test_a_customer_has_its_share_of_the_connections_at_once_and_no_more(run: Run) -> None:
    """P25: neither is it forgotten what it has under way."""
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        pacer = Pacer(limits(60_000, concurrency=64), clock=clock)
        async with pacer, asyncio.TaskGroup() as calls:
            for _ in range(4):
                calls.create_task(call(pacer, clock, starts, "slow", 1000))
            await asyncio.sleep(100)
            for n in range(2000):  # enough for customers to be forgotten
                await call(pacer, clock, [], f"c{n}")
            calls.create_task(call(pacer, clock, starts, "slow"))

    run(main)

    assert [round(at) for at, _ in starts] == [0, 0, 0, 0, 1000]


def test_after_a_refusal_the_rate_is_half_and_climbs_back(run: Run) -> None:
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

    run(main)

    def within(start: float, end: float) -> int:
        return sum(start <= at - 30 < end for at, _ in starts)

    assert within(0, 6) <= 8, "about half of 12"
    assert within(0, 6) < within(12, 18) < within(40, 46) <= 12
    assert 117 <= within(300, 360) <= 120


def test_a_call_that_is_given_up_leaves_its_place_to_the_next(run: Run) -> None:
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        async with Pacer(limits(60, concurrency=1), clock=clock) as pacer:
            waiting = [
                asyncio.create_task(call(pacer, clock, starts, f"c{n}", 1)) for n in range(10)
            ]
            await asyncio.sleep(1.5)
            for task in waiting[2:9]:
                task.cancel()
            await asyncio.wait(waiting)
            await call(pacer, clock, starts, "after")

    run(main)

    assert [c for _, c in starts] == ["c0", "c1", "c9", "after"]


def test_a_call_given_up_while_it_waits_gives_back_no_connection(run: Run) -> None:
    """It had none: one more at once than are allowed would be the end of it."""
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        pacer = Pacer(limits(6000, concurrency=1), clock=clock)
        async with pacer, asyncio.TaskGroup() as calls:
            calls.create_task(call(pacer, clock, starts, "first", 10))
            await asyncio.sleep(1)
            waiting = [asyncio.create_task(call(pacer, clock, starts, "c")) for _ in range(5)]
            await asyncio.sleep(1)
            for task in waiting:
                task.cancel()
            for _ in range(3):
                calls.create_task(call(pacer, clock, starts, "after", 10))

    run(main)

    assert [c for _, c in starts] == ["first", "after", "after", "after"]
    assert most_in_any(9.9, starts) == 1


def test_a_call_given_up_at_the_very_moment_of_its_turn_gives_the_connection_back(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        async with Pacer(limits(600, concurrency=1), clock=clock) as pacer:
            line = pacer._lines["inventory"]  # noqa: SLF001 - nobody else knows the moment
            joined = line.join

            def given_up_at_its_turn(customer: Customer) -> asyncio.Future[float]:
                waiter = joined(customer)
                waiter.add_done_callback(lambda _: task.cancel())
                return waiter

            with monkeypatch.context() as patched:
                patched.setattr(line, "join", given_up_at_its_turn)
                task = asyncio.create_task(call(pacer, clock, starts, "c", 1))
                await asyncio.wait([task])
            assert task.cancelled()
            await call(pacer, clock, starts, "after")

    run(main)

    assert [c for _, c in starts] == ["after"]


@pytest.mark.parametrize("customer", ["", "c"])
def test_a_refusal_heard_while_a_call_waits_for_its_permit_stops_it(
    run: Run, customer: str
) -> None:
    """P19."""
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        pacer = Pacer(limits(60), clock=clock)
        async with pacer, asyncio.TaskGroup() as calls, pacer.slot("inventory", customer) as turn:
            calls.create_task(call(pacer, clock, starts, customer))
            await asyncio.sleep(0.5)
            turn.throttled(57)

    run(main)

    assert starts[0][0] >= 57.5


def test_an_error_inside_comes_out_as_it_is(run: Run) -> None:
    async def main(clock: Callable[[], float]) -> None:
        async with Pacer(limits(60), clock=clock):
            raise LookupError

    with pytest.raises(LookupError):
        run(main)


def test_a_dispatcher_that_breaks_ends_everything(run: Run) -> None:
    """Or its calls would wait for ever."""

    async def broken(_: float) -> None:
        raise LookupError

    async def main(clock: Callable[[], float]) -> None:
        pacer = Pacer(limits(60), clock=clock, sleep=broken)
        async with pacer:
            async with pacer.slot("inventory") as turn:
                turn.throttled(57)
            await call(pacer, clock, [], "")

    with pytest.raises(ExceptionGroup):
        run(main)


def test_leaving_the_pacer_ends_whoever_still_waits(run: Run) -> None:
    async def main(clock: Callable[[], float]) -> None:
        async with Pacer(limits(1), clock=clock) as pacer:
            first = asyncio.create_task(call(pacer, clock, [], "a", 0))
            await first
            second = asyncio.create_task(call(pacer, clock, [], "b", 0))
            await asyncio.sleep(1)
        await asyncio.wait([second])
        assert second.cancelled()

    run(main)


def test_customers_that_are_done_are_forgotten(run: Run) -> None:
    """P25: what is kept does not grow with the scope."""

    async def main(clock: Callable[[], float]) -> None:
        async with Pacer(limits(600_000, per_customer=120), clock=clock) as pacer:
            for n in range(5000):
                await call(pacer, clock, [], f"c{n}")
                await asyncio.sleep(0.1)
            kept = pacer._lines["inventory"]._customers  # noqa: SLF001 - memory has no other face
            assert len(kept) <= 2 * 1024

    run(main)
