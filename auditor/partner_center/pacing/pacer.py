"""How fast and how many at once.

Each API class has one line of waiting calls and one dispatcher, which alone waits on an
asyncio-throttle window: many waiters poll and burn a core. A permit is taken only once a
connection is free, or calls that waited for connections would reach the server all at once.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from auditor.partner_center.pacing.local_quota import Quota
from auditor.partner_center.pacing.queue import Clock, Customer, Line, Sleep
from auditor.partner_center.pacing.rates import Limits


class Turn:
    """A call's turn, for as long as it holds a connection."""

    def __init__(self, line: Line, customer: Customer, started_at: float) -> None:
        self._line = line
        self._customer = customer
        self._started_at = started_at
        self._was_refused = False

    def throttled(self, retry_after_s: float) -> None:
        """Hear that the call was refused for asking too much."""
        self._was_refused = True
        self._line.refused(self._customer, self._started_at, retry_after_s)

    def over(self) -> None:
        if not self._was_refused:
            self._line.got_through(self._customer, self._started_at)


class Pacer:
    """Lets the calls of one partner start, no faster and no more at once than its limits."""

    def __init__(
        self,
        limits: Limits,
        *,
        quotas: Mapping[str, Quota] | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Take the limits, and the quota of each API class that other processes share."""
        self._lines = {
            api_class: Line(per_minute, limits, (quotas or {}).get(api_class), clock, sleep)
            for api_class, per_minute in limits.per_minute.items()
        }
        self._connections = asyncio.Semaphore(limits.concurrency)
        self._dispatchers = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._dispatchers.__aenter__()
        self._tasks = [
            self._dispatchers.create_task(self._dispatch(line), name=f"pacing.{api_class}")
            for api_class, line in self._lines.items()
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for line in self._lines.values():
            line.abandon()
        for task in self._tasks:
            task.cancel()
        try:
            await self._dispatchers.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            if error is None or group.exceptions != (error,):
                raise  # a dispatcher's bug; the body's own error comes out as it is

    @asynccontextmanager
    async def slot(self, api_class: str, customer_id: str = "") -> AsyncIterator[Turn]:
        """Wait for this call's turn; hold a connection while inside."""
        line = self._lines[api_class]
        customer = line.customer(customer_id)
        waiter = line.join(customer)
        try:
            turn = Turn(line, customer, await waiter)
        except asyncio.CancelledError:
            if not waiter.cancelled():  # its turn came as it was given up
                self._finished(line, customer)
            raise
        try:
            yield turn
        finally:
            turn.over()
            self._finished(line, customer)

    def _finished(self, line: Line, customer: Customer) -> None:
        line.finished(customer)
        self._connections.release()

    async def _dispatch(self, line: Line) -> None:
        while True:
            await line.startable()
            await self._connections.acquire()
            started = False
            try:
                await line.permit()
                started = line.start_next()
            finally:
                if not started:
                    self._connections.release()
