"""What a thread does for a run is waited for, whatever happens to the run."""

import asyncio
import threading

import pytest

from auditor.concurrency import to_its_end


@pytest.mark.asyncio
async def test_what_a_thread_uses_stays_open_until_it_ends() -> None:
    """P29: a signal while it publishes must not close the journal under it."""
    begun, released = threading.Event(), threading.Event()
    ended = []

    def work() -> None:
        begun.set()
        released.wait(60)
        ended.append(True)

    task = asyncio.create_task(to_its_end(work))
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
    assert await to_its_end(int, "7") == 7
    with pytest.raises(ValueError, match="invalid literal"):
        await to_its_end(int, "x")
