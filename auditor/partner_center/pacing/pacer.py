"""How fast calls start, and how many are in flight.

Each API class has one queue and one dispatcher. Only the dispatcher waits on an asyncio-throttle
window, because many waiters poll and burn a core. It takes a permit only when a connection is
free: otherwise calls with permits would wait for connections and then start all at once.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from auditor.partner_center.pacing.local_quota import Quota
from auditor.partner_center.pacing.queue import CallQueue, Clock, CustomerQueue, Sleep
from auditor.partner_center.pacing.rates import PaceLimits


class Turn:
    """A call in flight: it holds a connection."""

    def __init__(self, queue: CallQueue, customer: CustomerQueue, started_at: float) -> None:
        self._queue = queue
        self._customer = customer
        self._started_at = started_at
        self._was_refused = False

    def throttled(self, retry_after_s: float) -> None:
        """Record that the call was answered 429."""
        self._was_refused = True
        self._queue.refused(self._customer, self._started_at, retry_after_s)

    def over(self) -> None:
        if not self._was_refused:
            self._queue.got_through(self._customer, self._started_at)


class Pacer:
    """Starts the calls of one partner within its limits: calls a minute, and calls in flight."""

    def __init__(
        self,
        limits: PaceLimits,
        *,
        quotas: Mapping[str, Quota] | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """`quotas` holds, by API class, the quota shared with other processes."""
        self._queues = {
            api_class: CallQueue(per_minute, limits, (quotas or {}).get(api_class), clock, sleep)
            for api_class, per_minute in limits.per_minute.items()
        }
        self._connections = asyncio.Semaphore(limits.concurrency)
        self._dispatchers = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self._dispatchers.__aenter__()
        self._tasks = [
            self._dispatchers.create_task(self._dispatch(queue), name=f"pacing.{api_class}")
            for api_class, queue in self._queues.items()
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for queue in self._queues.values():
            queue.abandon()
        for task in self._tasks:
            task.cancel()
        try:
            await self._dispatchers.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            if error is None or group.exceptions != (error,):
                raise  # a dispatcher's bug; an error of the body is raised as it is

    @asynccontextmanager
    async def slot(self, api_class: str, customer_id: str = "") -> AsyncIterator[Turn]:
        """Wait until this call may start; hold a connection while inside."""
        queue = self._queues[api_class]
        customer = queue.customer(customer_id)
        waiter = queue.enqueue(customer)
        try:
            turn = Turn(queue, customer, await waiter)
        except asyncio.CancelledError:
            if not waiter.cancelled():  # it was started in the moment of its cancellation
                self._finished(queue, customer)
            raise
        try:
            yield turn
        finally:
            turn.over()
            self._finished(queue, customer)

    def _finished(self, queue: CallQueue, customer: CustomerQueue) -> None:
        queue.finished(customer)
        self._connections.release()

    async def _dispatch(self, queue: CallQueue) -> None:
        while True:
            await queue.startable()
            await self._connections.acquire()
            started = False
            try:
                await queue.take_permit()
                started = queue.start_next()
            finally:
                if not started:
                    self._connections.release()
