"""Runs tasks at the same time, up to a limit; none of them outlives its caller."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import ParamSpec, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
T = TypeVar("T")


async def fan_out(
    items: Iterable[Item], work: Callable[[Item], Awaitable[Result]], *, at_once: int
) -> AsyncGenerator[Result]:
    """Yield the result of `work` for each item, in the order of completion.

    At most `at_once` items are worked on at a time; an item is read only when a worker is free. An
    exception from `work` is a bug: it cancels all other work, and only this exception is raised.
    """
    results: asyncio.Queue[tuple[Result] | None] = asyncio.Queue()
    source = iter(items)

    async def worker() -> None:
        for item in source:
            results.put_nowait((await work(item),))

    async def run_workers() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(worker())
        finally:
            results.put_nowait(None)

    owner = asyncio.create_task(run_workers())
    try:
        while (result := await results.get()) is not None:
            yield result[0]
        await owner
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    finally:
        owner.cancel()
        await asyncio.gather(owner, return_exceptions=True)


P = ParamSpec("P")


async def run_in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do work in a thread. If cancelled, wait until the work ends: it may use open resources."""
    task = asyncio.create_task(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # ignored: the cancellation is raised instead
        raise
