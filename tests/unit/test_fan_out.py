"""Work on many items at once, up to a bound, without leaving a task behind."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager

import pytest

from auditor.concurrency import fan_out


class Gate:
    """Work that ends when the test lets it, and that counts the running items."""

    def __init__(self) -> None:
        self.open: dict[int, asyncio.Event] = {}
        self.running = 0
        self.most = 0
        self.cancelled: list[int] = []

    async def work(self, item: int) -> int:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.open.setdefault(item, asyncio.Event()).wait()
        except asyncio.CancelledError:
            self.cancelled.append(item)
            raise
        finally:
            self.running -= 1
        return item * 10

    def finish(self, *items: int) -> None:
        for item in items:
            self.open.setdefault(item, asyncio.Event()).set()


@asynccontextmanager
async def no_task_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    assert asyncio.all_tasks() <= before


async def settle() -> None:
    """Let every task run that can run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def at_once(item: int) -> int:
    await asyncio.sleep(0)
    return item


@pytest.mark.asyncio
@pytest.mark.parametrize("bound", [1, 3, 100])
async def test_every_item_gives_one_result(bound: int) -> None:
    async with no_task_left():
        results = [r async for r in fan_out(range(50), at_once, at_once=bound)]
    assert sorted(results) == list(range(50))


@pytest.mark.asyncio
async def test_without_items_there_are_no_results() -> None:
    async with no_task_left():
        assert [r async for r in fan_out([], at_once, at_once=4)] == []


@pytest.mark.asyncio
async def test_no_more_items_are_read_or_running_than_the_bound() -> None:
    gate, read = Gate(), list[int]()

    def items() -> Iterator[int]:
        for item in range(10):
            read.append(item)
            yield item

    async with aclosing(fan_out(items(), gate.work, at_once=3)) as results:
        waiting = asyncio.ensure_future(anext(results))
        await settle()
        assert gate.running == len(read) == 3
        gate.finish(1)
        assert await waiting == 10
        await settle()
        assert gate.running == 3
        assert len(read) == 4
        gate.finish(*range(10))
        assert sorted([r async for r in results]) == [0, *range(20, 100, 10)]
    assert gate.most == 3


@pytest.mark.asyncio
async def test_results_come_in_the_order_of_completion() -> None:
    gate = Gate()
    order = (2, 0, 3, 1)
    async with aclosing(fan_out(range(4), gate.work, at_once=4)) as results:
        for item in order:
            gate.finish(item)
            assert await anext(results) == item * 10


class Broken(Exception):
    pass


@pytest.mark.asyncio
async def test_a_bug_in_one_cancels_the_others_and_is_raised_alone() -> None:
    gate = Gate()

    async def work(item: int) -> int:
        if item == 2:
            raise Broken
        return await gate.work(item)

    async with no_task_left():
        with pytest.raises(Broken):
            _ = [r async for r in fan_out(range(5), work, at_once=5)]
        assert sorted(gate.cancelled) == [0, 1, 3, 4]


@pytest.mark.asyncio
async def test_results_from_before_a_bug_are_returned_first() -> None:
    async def work(item: int) -> int:
        if item == 3:
            raise Broken
        return await at_once(item)

    done = []

    async def consume() -> None:
        async for result in fan_out(range(5), work, at_once=1):
            done.append(result)  # noqa: PERF401 - an exception ends it

    with pytest.raises(Broken):
        await consume()
    assert done == [0, 1, 2]


@pytest.mark.asyncio
async def test_one_of_several_bugs_is_raised() -> None:
    async def work(_: int) -> int:
        raise Broken

    with pytest.raises(Broken):
        _ = [r async for r in fan_out(range(5), work, at_once=5)]


@pytest.mark.asyncio
async def test_a_bug_in_the_source_is_raised_too() -> None:
    def items() -> Iterable[int]:
        yield 1
        raise Broken

    async with no_task_left():
        with pytest.raises(Broken):
            _ = [r async for r in fan_out(items(), at_once, at_once=2)]


@pytest.mark.asyncio
async def test_a_cancelled_fan_out_leaves_no_task() -> None:
    gate = Gate()

    async def consume() -> None:
        async for _ in fan_out(range(10), gate.work, at_once=4):
            pass

    async with no_task_left():
        task = asyncio.create_task(consume())
        await settle()
        assert gate.running == 4
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert gate.running == 0


@pytest.mark.asyncio
async def test_a_fan_out_closed_early_leaves_no_task() -> None:
    gate = Gate()
    gate.finish(0)
    async with no_task_left():
        async with aclosing(fan_out(range(10), gate.work, at_once=4)) as results:
            async for _ in results:
                break
        assert gate.running == 0
        assert gate.cancelled


@pytest.mark.asyncio
async def test_a_bug_of_the_consumer_is_raised() -> None:
    gate = Gate()
    gate.finish(0)

    async def consume() -> None:
        async with aclosing(fan_out(range(10), gate.work, at_once=4)) as results:
            async for _ in results:
                raise Broken

    async with no_task_left():
        with pytest.raises(Broken):
            await consume()
