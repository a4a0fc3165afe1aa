"""How fast and how many at once.

Each API class has one line of waiting calls, first come first served for a customer and in turn
between customers, and one dispatcher, which alone waits on an asyncio-throttle window: many
waiters poll and burn a core. A permit is taken only once a connection is free, or calls that
waited for connections would reach the server all at once.
"""

import asyncio
import heapq
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from types import TracebackType
from typing import Self

from asyncio_throttle.throttler import Throttler

from auditor.partner_center.rates import SAME_STORM_S, CustomerRate, Limits, Rate, window

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

PARTNER_SLICE_S = 0.1
"""Short, so that what the server sees is even."""


class _Customer:
    """The waiting calls of one customer in one API class."""

    def __init__(self, name: str, rate: CustomerRate | None) -> None:
        self.name = name
        self.rate = rate
        """None for calls that are on no customer's account."""
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.in_flight = 0
        self.in_line = False

    def ready_at(self, now: float) -> float:
        return self.rate.ready_at(now) if self.rate else now

    def next_waiter(self) -> asyncio.Future[None] | None:
        while self.waiting and self.waiting[0].done():  # given up meanwhile
            self.waiting.popleft()
        return self.waiting[0] if self.waiting else None

    def is_idle(self, now: float) -> bool:
        """Tell whether forgetting it changes nothing."""
        busy = self.waiting or self.in_flight or self.in_line
        return not busy and (self.rate is None or self.rate.is_fresh(now))


class _Line:
    """The waiting calls of one API class."""

    def __init__(self, per_minute: float, limits: Limits, clock: Clock, sleep: Sleep) -> None:
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._rate = Rate(per_minute)
        calls, period = window(per_minute, PARTNER_SLICE_S)
        self._throttler = Throttler(calls, period, retry_interval=max(0.001, period / 200))
        self._customers: dict[str, _Customer] = {}
        self._sweep_above = 1024
        self._turns: deque[_Customer] = deque()
        self._held: list[tuple[float, int, _Customer]] = []
        self._order = count()
        self._news = asyncio.Event()
        self._paused_until = 0.0
        self._refused: dict[str, float] = {}

    def customer(self, name: str) -> _Customer:
        known = self._customers.get(name)
        if known is None:
            if len(self._customers) >= self._sweep_above:
                now = self._clock()
                self._customers = {n: c for n, c in self._customers.items() if not c.is_idle(now)}
                self._sweep_above = max(1024, 2 * len(self._customers))
            known = self._customers[name] = _Customer(
                name, CustomerRate(self._limits.per_customer) if name else None
            )
        return known

    def join(self, customer: _Customer) -> asyncio.Future[None]:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        customer.waiting.append(waiter)
        self._line_up(customer)
        return waiter

    def finished(self, customer: _Customer) -> None:
        customer.in_flight -= 1
        if self._refused and customer.name not in self._refused:
            self._refused.clear()  # one got through: what refuses others is not the partner's limit
        self._line_up(customer)

    def refused(self, customer: _Customer, wait_s: float) -> None:
        """Stop the smallest gate that explains a 429."""
        now = self._clock()
        until = now + wait_s
        if customer.rate:
            self._refused = {n: t for n, t in self._refused.items() if now - t < SAME_STORM_S}
            self._refused[customer.name] = now
            customer.rate.refused(now, until)
        if not customer.rate or len(self._refused) > 1:
            self._paused_until = max(self._paused_until, until)
            self._rate.fall(now)
        self._news.set()

    async def startable(self) -> None:
        """Wait until some call may start, the partner's rate apart."""
        while True:
            now = self._clock()
            while self._held and self._held[0][0] <= now:
                self._turns.append(heapq.heappop(self._held)[2])
            if now >= self._paused_until and self._turns:
                return
            await self._news_or(self._next_moment(), now)

    def _next_moment(self) -> float | None:
        """Return when a call may start if nothing happens; None where none waits."""
        if self._turns:
            return self._paused_until
        return max(self._held[0][0], self._paused_until) if self._held else None

    async def permit(self) -> None:
        """Wait for the partner's rate, as it is held to be now."""
        self._throttler.rate_limit, self._throttler.period = window(
            self._rate.per_minute(self._clock()), PARTNER_SLICE_S
        )
        await self._throttler.acquire()  # type: ignore[no-untyped-call] # ships no types

    def start_next(self) -> bool:
        """Start the call whose turn it is; False where all have gone or were stopped meanwhile."""
        now = self._clock()
        if now < self._paused_until:
            return False
        while self._turns:
            customer = self._turns.popleft()
            customer.in_line = False
            waiter = customer.next_waiter()
            if waiter is None:
                continue
            if (ready_at := customer.ready_at(now)) > now:
                self._hold(customer, ready_at)
                continue
            customer.waiting.popleft()
            customer.in_flight += 1
            if customer.rate:
                customer.rate.started(now)
            waiter.set_result(None)
            self._line_up(customer)
            return True
        return False

    def abandon(self) -> None:
        for customer in self._customers.values():
            for waiter in customer.waiting:
                waiter.cancel()

    def _line_up(self, customer: _Customer) -> None:
        """Give a customer a place in the turns, unless it has one or could not use it."""
        if customer.in_line or customer.next_waiter() is None:
            return
        if customer.rate and customer.in_flight >= self._limits.per_customer_in_flight:
            return
        now = self._clock()
        if (ready_at := customer.ready_at(now)) > now:
            self._hold(customer, ready_at)
        else:
            customer.in_line = True
            self._turns.append(customer)
        self._news.set()

    def _hold(self, customer: _Customer, until: float) -> None:
        customer.in_line = True
        heapq.heappush(self._held, (until, next(self._order), customer))

    async def _news_or(self, moment: float | None, now: float) -> None:
        self._news.clear()
        if moment is None:
            await self._news.wait()
            return
        waits = [asyncio.ensure_future(w) for w in (self._news.wait(), self._sleep(moment - now))]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in done:
                wait.result()  # a sleep that broke is a bug to hear of
        finally:
            for wait in waits:
                wait.cancel()


class Pacer:
    """Lets the calls of one partner start, no faster and no more at once than its limits."""

    def __init__(
        self, limits: Limits, *, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._lines = {
            api_class: _Line(per_minute, limits, clock, sleep)
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
    async def slot(self, api_class: str, customer_id: str = "") -> AsyncIterator[None]:
        """Wait for this call's turn; hold a connection while inside."""
        line = self._lines[api_class]
        customer = line.customer(customer_id)
        turn = line.join(customer)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # its turn came as it was given up
                self._finished(line, customer)
            raise
        try:
            yield
        finally:
            self._finished(line, customer)

    def throttled(self, api_class: str, customer_id: str, retry_after_s: float) -> None:
        """Hear, from inside the slot, that the call was refused for asking too much."""
        line = self._lines[api_class]
        line.refused(line.customer(customer_id), retry_after_s)

    def _finished(self, line: _Line, customer: _Customer) -> None:
        line.finished(customer)
        self._connections.release()

    async def _dispatch(self, line: _Line) -> None:
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
