"""A run waits for the work of its thread, even if the run is cancelled."""

import asyncio
import threading

import pytest

from auditor.concurrency import run_in_thread


@pytest.mark.asyncio
async def test_a_cancelled_task_waits_until_its_thread_ends() -> None:
    """P29: a signal during publishing must not close the journal that the thread uses."""
    begun, released = threading.Event(), threading.Event()
    ended = []

    def work() -> None:
        begun.set()
        released.wait(60)
        ended.append(True)

    task = asyncio.create_task(run_in_thread(work))
    await asyncio.to_thread(begun.wait, 60)
    task.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
    released.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]


@pytest.mark.asyncio
async def test_the_result_or_the_error_of_the_thread_is_passed_on() -> None:
    assert await run_in_thread(int, "7") == 7
    with pytest.raises(ValueError, match="invalid literal"):
        await run_in_thread(int, "x")
