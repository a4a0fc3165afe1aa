"""What a thread does for a run is waited for, whatever happens to the run."""

import asyncio
import threading

import pytest

from auditor.concurrency import run_in_thread


@pytest.mark.asyncio
async def test_what_a_thread_uses_stays_open_until_it_ends() -> None:
    """P29: a signal while it publishes must not close the journal under it."""
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
async def test_what_it_returns_or_raises_comes_out() -> None:
    assert await run_in_thread(int, "7") == 7
    with pytest.raises(ValueError, match="invalid literal"):
        await run_in_thread(int, "x")
