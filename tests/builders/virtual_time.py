"""An event loop with a virtual clock: waiting moves the clock and takes no time."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from unittest import mock

from asyncio_throttle import throttler


class _Idle(selectors.DefaultSelector):
    """Moves the clock instead of waiting."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("deadlock: every task waits, none for a timer")
        self.now += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.idle = _Idle()
        super().__init__(self.idle)

    def time(self) -> float:
        return self.idle.now


def run_virtually(main: Callable[[Callable[[], float]], Awaitable[None]]) -> None:
    """Run `main(clock)` in a virtual loop."""
    with asyncio.Runner(loop_factory=VirtualLoop) as virtual:
        clock = virtual.get_loop().time

        async def body() -> None:
            await main(clock)

        # asyncio_throttle has no clock parameter.
        with mock.patch.object(throttler, "time", SimpleNamespace(monotonic=clock)):
            virtual.run(body())
