"""Pacing on virtual time: hours pass at once."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.queue import CustomerQueue
from tests.builders.pacing import Start, call, limits, most_in_any
from tests.builders.virtual_time import run_virtually


@pytest.mark.parametrize("per_minute", [1, 7, 250, 600, 1000, 3333])
def test_no_minute_has_more_calls_than_the_limit_and_hardly_fewer(per_minute: int) -> None:
    """P17."""
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        async with Pacer(limits(per_minute), clock=clock) as pacer, asyncio.TaskGroup() as calls:
            for n in range(2 * per_minute + 1):
                calls.create_task(call(pacer, clock, starts, f"c{n % 5}"))

    run_virtually(main)

    assert len(starts) == 2 * per_minute + 1
    assert most_in_any(60, starts) <= per_minute
    assert most_in_any(1, starts) <= per_minute / 60 * 1.1 + 1
    assert starts[-1][0] <= 120 * 1.03 + 1


def test_no_minute_of_a_customer_has_more_calls_than_its_limit() -> None:
    """P17."""
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        pacer = Pacer(limits(6000, per_customer=120), clock=clock)
        async with pacer, asyncio.TaskGroup() as calls:
            for n in range(400):
                calls.create_task(call(pacer, clock, starts, "busy"))
                if n % 40 == 0:
                    calls.create_task(call(pacer, clock, starts, f"c{n}"))

    run_virtually(main)

    busy = [s for s in starts if s[1] == "busy"]
    assert most_in_any(60, busy) <= 120
    assert most_in_any(6, busy) <= 12
    assert busy[11][0] < 1, "a few calls need not wait for each other"
    assert max(at for at, who in starts if who != "busy") < 3, "others do not wait for it"


def test_customers_take_turns_and_each_keeps_its_order() -> None:
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

    run_virtually(main)

    assert [n for c, n in served if c == "large"] == list(range(20))
    assert [n for c, n in served if c == "small"] == list(range(3))
    assert {c for c, _ in served[:6]} == {"large", "small"}
    assert sum(c == "small" for c, _ in served[:6]) == 3


def test_no_more_calls_run_at_once_than_there_are_connections() -> None:
    at_once: list[int] = []
    inside: Counter[str] = Counter()

    async def main(clock: Callable[[], float]) -> None:
        async def hold_slot(api_class: str, customer: str) -> None:
            async with pacer.slot(api_class, customer):
                inside[customer] += 1
                at_once.append(inside.total())
                assert inside[customer] <= 2, "a customer that hangs holds only its share"
                await asyncio.sleep(5)
                inside[customer] -= 1

        pacer = Pacer(limits(60_000, concurrency=32), clock=clock)
        async with pacer, asyncio.TaskGroup() as calls:
            for n in range(300):
                calls.create_task(hold_slot(("inventory", "catalog")[n % 2], f"c{n % 100 // 2}"))

    run_virtually(main)

    assert max(at_once) == 32


def test_a_permit_is_taken_only_when_a_connection_is_free() -> None:
    """Permits collected while connections were busy would all be used in one moment."""
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        pacer = Pacer(limits(1200, concurrency=4), clock=clock)
        async with pacer, asyncio.TaskGroup() as calls:
            for n in range(4):
                calls.create_task(call(pacer, clock, starts, f"slow{n}", 30))
            for n in range(100):
                calls.create_task(call(pacer, clock, starts, f"c{n}"))

    run_virtually(main)

    assert most_in_any(1, starts) <= 21


def test_one_customer_that_hangs_delays_no_other() -> None:
    """P20: if 1 of 100 customers is dead, the others take at most 1.10 times as long."""

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

        run_virtually(main)
        return max(ended)

    assert time_of_others("c0") <= 1.10 * time_of_others("")


def test_a_customer_has_no_more_than_its_share_of_the_connections() -> None:
    """P25: a customer with running calls is not forgotten."""
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        pacer = Pacer(limits(60_000, concurrency=64), clock=clock)
        async with pacer, asyncio.TaskGroup() as calls:
            for _ in range(4):
                calls.create_task(call(pacer, clock, starts, "slow", 1000))
            await asyncio.sleep(100)
            for n in range(2000):  # so many that idle customers are forgotten
                await call(pacer, clock, [], f"c{n}")
            calls.create_task(call(pacer, clock, starts, "slow"))

    run_virtually(main)

    assert [round(at) for at, _ in starts] == [0, 0, 0, 0, 1000]


def test_a_cancelled_call_leaves_its_place_to_the_next() -> None:
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

    run_virtually(main)

    assert [c for _, c in starts] == ["c0", "c1", "c9", "after"]


def test_a_call_cancelled_while_it_waits_gives_back_no_connection() -> None:
    """It had none; giving one back would allow one call too many at once."""
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

    run_virtually(main)

    assert [c for _, c in starts] == ["first", "after", "after", "after"]
    assert most_in_any(9.9, starts) == 1


def test_a_call_cancelled_at_its_turn_gives_the_connection_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starts: list[Start] = []

    async def main(clock: Callable[[], float]) -> None:
        async with Pacer(limits(600, concurrency=1), clock=clock) as pacer:
            queue = pacer._queues["inventory"]  # noqa: SLF001 - only the queue knows the moment
            enqueue = queue.enqueue

            def cancelled_at_its_turn(customer: CustomerQueue) -> asyncio.Future[float]:
                waiter = enqueue(customer)
                waiter.add_done_callback(lambda _: task.cancel())
                return waiter

            with monkeypatch.context() as patched:
                patched.setattr(queue, "enqueue", cancelled_at_its_turn)
                task = asyncio.create_task(call(pacer, clock, starts, "c", 1))
                await asyncio.wait([task])
            assert task.cancelled()
            await call(pacer, clock, starts, "after")

    run_virtually(main)

    assert [c for _, c in starts] == ["after"]


def test_an_error_inside_the_block_is_raised_unchanged() -> None:
    async def main(clock: Callable[[], float]) -> None:
        async with Pacer(limits(60), clock=clock):
            raise LookupError

    with pytest.raises(LookupError):
        run_virtually(main)


def test_an_error_in_the_dispatcher_ends_the_pacer() -> None:
    """Otherwise its calls would wait for ever."""

    async def broken(_: float) -> None:
        raise LookupError

    async def main(clock: Callable[[], float]) -> None:
        pacer = Pacer(limits(60), clock=clock, sleep=broken)
        async with pacer:
            async with pacer.slot("inventory") as turn:
                turn.throttled(57)
            await call(pacer, clock, [], "")

    with pytest.raises(ExceptionGroup):
        run_virtually(main)


def test_leaving_the_pacer_cancels_waiting_calls() -> None:
    async def main(clock: Callable[[], float]) -> None:
        async with Pacer(limits(1), clock=clock) as pacer:
            first = asyncio.create_task(call(pacer, clock, [], "a", 0))
            await first
            second = asyncio.create_task(call(pacer, clock, [], "b", 0))
            await asyncio.sleep(1)
        await asyncio.wait([second])
        assert second.cancelled()

    run_virtually(main)


def test_customers_without_calls_are_forgotten() -> None:
    """P25: memory does not grow with the scope."""

    async def main(clock: Callable[[], float]) -> None:
        async with Pacer(limits(600_000, per_customer=120), clock=clock) as pacer:
            for n in range(5000):
                await call(pacer, clock, [], f"c{n}")
                await asyncio.sleep(0.1)
            kept = pacer._queues["inventory"]._customers  # noqa: SLF001 - memory shows only here
            assert len(kept) <= 2 * 1024

    run_virtually(main)
