"""The queue of one API class: which call starts next, and when.

FIFO within a customer, round robin between customers.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import count

from asyncio_throttle.throttler import Throttler

from auditor.partner_center.pacing.local_quota import Quota
from auditor.partner_center.pacing.rates import MINUTE_S, CustomerRate, PaceLimits, Rate, window

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

WINDOW_S = 1.0
"""The length of a throttler window, about."""
LEAST_SLEEP_S = 0.004
"""Keeps a thousand calls a second from setting a thousand timers."""
CATCH_UP_S = 0.02
"""A delayed queue catches up with at most this much of its schedule."""
WATCHED = 50
"""If this many calls of other customers pass after a 429, the limit was that customer's."""


class CustomerQueue:
    """The queue of one customer in one API class."""

    def __init__(self, name: str, rate: CustomerRate | None) -> None:
        self.name = name
        self.rate = rate
        """None for calls that count for no customer."""
        self.waiting: list[asyncio.Future[float]] = []
        self.in_flight = 0
        self.is_queued = False
        self.was_refused = False
        """No call passed since its last 429: another 429 shows a limit of the customer itself."""

    def ready_at(self, now: float) -> float:
        return self.rate.ready_at(now) if self.rate else now

    def next_waiter(self) -> asyncio.Future[float] | None:
        while self.waiting and self.waiting[0].done():  # its caller was cancelled
            del self.waiting[0]
        return self.waiting[0] if self.waiting else None

    def is_idle(self, now: float) -> bool:
        """Tell whether it can be dropped: it holds no call and no knowledge of a limit."""
        busy = self.waiting or self.in_flight or self.is_queued
        return not busy and (self.rate is None or self.rate.is_fresh(now))


class _Refusal:
    """A customer's 429, and how many calls that other customers started since have passed."""

    def __init__(self, at: float, rate: CustomerRate) -> None:
        self.at = at
        self.rate = rate
        self.others_since = 0


class CallQueue:
    """The queue of one API class."""

    def __init__(
        self, per_minute: float, limits: PaceLimits, quota: Quota | None, clock: Clock, sleep: Sleep
    ) -> None:
        self._limits = limits
        self._quota = quota
        self._clock = clock
        self._sleep = sleep
        self._rate = Rate(per_minute)
        calls, period = window(per_minute, WINDOW_S)
        self._throttler = Throttler(calls, period, retry_interval=0.001)
        self._next_at = 0.0
        self._customers: dict[str, CustomerQueue] = {}
        self._sweep_above = 1024
        self._ready: deque[CustomerQueue] = deque()
        self._delayed: list[tuple[float, int, CustomerQueue]] = []
        self._order = count()
        self._changed = asyncio.Event()
        self._paused_until = 0.0
        self._watched: dict[str, _Refusal] = {}
        """Recent 429s of customers: the partner's limit may still prove to be their cause."""

    def customer(self, name: str) -> CustomerQueue:
        known = self._customers.get(name)
        if known is None:
            if len(self._customers) >= self._sweep_above:
                now = self._clock()
                self._customers = {n: c for n, c in self._customers.items() if not c.is_idle(now)}
                self._sweep_above = max(1024, 2 * len(self._customers))
            known = self._customers[name] = CustomerQueue(
                name, CustomerRate(self._limits.per_customer) if name else None
            )
        return known

    def enqueue(self, customer: CustomerQueue) -> asyncio.Future[float]:
        """Return a waiter: a future that gets the time at which its call may start."""
        waiter: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        customer.waiting.append(waiter)
        self._queue_up(customer)
        return waiter

    def finished(self, customer: CustomerQueue) -> None:
        """Take a call out of flight, however it ended, and queue the customer's next one."""
        customer.in_flight -= 1
        self._queue_up(customer)

    def got_through(self, customer: CustomerQueue, started_at: float) -> None:
        """Count a call that was not refused."""
        now = self._clock()
        self._rate.got_through(now)
        if customer.rate:
            customer.rate.learned.got_through(now)
            customer.was_refused = False
        for name, refusal in list(self._watched.items()):
            refusal.others_since += name != customer.name and started_at > refusal.at
            if refusal.others_since >= WATCHED:
                del self._watched[name]

    def refused(self, customer: CustomerQueue, started_at: float, wait_s: float) -> None:
        """Pause the narrowest limit that explains a 429, and lower its rate.

        The first 429 counts against the customer. If a second customer gets one before `WATCHED`
        calls of other customers pass, the limit is the partner's.
        """
        now = self._clock()
        until = now + wait_s
        if customer.rate is None:
            self._stop_partner(now, until, started_at)
        elif customer.was_refused:
            self._stop_customer(customer.rate, now, until, started_at)
        elif self._rate.is_of_last_fall(started_at):
            self._stop_partner(now, until, started_at)
        else:
            self._watched = {n: r for n, r in self._watched.items() if now - r.at < MINUTE_S}
            self._watched[customer.name] = _Refusal(now, customer.rate)
            customer.was_refused = True
            self._stop_customer(customer.rate, now, until, started_at)
            if len(self._watched) > 1:
                self._stop_partner(now, until, started_at)
        self._changed.set()

    def _stop_customer(self, rate: CustomerRate, now: float, until: float, start: float) -> None:
        rate.pause(until)
        rate.learned.fall(now, until, start)

    def _stop_partner(self, now: float, until: float, started_at: float) -> None:
        self._paused_until = max(self._paused_until, until)
        self._rate.fall(now, until, started_at)
        for refusal in self._watched.values():
            refusal.rate.learned.pardon()
        self._watched = {}

    async def startable(self) -> None:
        """Wait until a call may start, as far as this process is concerned."""
        while True:
            now = self._clock()
            while self._delayed and self._delayed[0][0] <= now:
                self._ready.append(heapq.heappop(self._delayed)[2])
            starts_at = max(self._paused_until, self._next_at)
            if self._ready and starts_at <= now:
                return
            if self._ready:
                # no other change lets it start earlier
                await self._sleep(max(LEAST_SLEEP_S, starts_at - now))
            else:
                delayed_until = max(self._delayed[0][0], starts_at) if self._delayed else None
                await self._change_or(delayed_until, now)

    async def take_permit(self) -> None:
        """Take a permit of this process, and one of the quota that processes share.

        The schedule spreads the calls evenly; the throttler guarantees that no window holds too
        many.
        """
        per_minute = self._rate.per_minute(self._clock())
        self._throttler.rate_limit, self._throttler.period = window(per_minute, WINDOW_S)
        await self._throttler.acquire()  # type: ignore[no-untyped-call] # ships no types
        self._next_at = max(self._next_at, self._clock() - CATCH_UP_S) + MINUTE_S / per_minute
        if self._quota is not None:
            await self._quota.take()

    def start_next(self) -> bool:
        """Start the next call; False if all were cancelled or paused meanwhile."""
        now = self._clock()
        if now < self._paused_until:
            return False
        while self._ready:
            customer = self._ready.popleft()
            customer.is_queued = False
            waiter = customer.next_waiter()
            if waiter is None:
                continue
            if (ready_at := customer.ready_at(now)) > now:
                self._delay(customer, ready_at)
                continue
            del customer.waiting[0]
            customer.in_flight += 1
            if customer.rate:
                customer.rate.started(now)
            waiter.set_result(now)
            self._queue_up(customer)
            return True
        return False

    def abandon(self) -> None:
        for customer in self._customers.values():
            for waiter in customer.waiting:
                waiter.cancel()

    def _queue_up(self, customer: CustomerQueue) -> None:
        """Put a customer into the round robin, unless it is in it or may start no call."""
        if customer.is_queued or customer.next_waiter() is None:
            return
        if customer.rate and customer.in_flight >= self._limits.per_customer_in_flight:
            return
        now = self._clock()
        if (ready_at := customer.ready_at(now)) > now:
            self._delay(customer, ready_at)
        else:
            customer.is_queued = True
            self._ready.append(customer)
        self._changed.set()

    def _delay(self, customer: CustomerQueue, until: float) -> None:
        customer.is_queued = True
        heapq.heappush(self._delayed, (until, next(self._order), customer))

    async def _change_or(self, moment: float | None, now: float) -> None:
        self._changed.clear()
        if moment is None:
            await self._changed.wait()
            return
        waits = [
            asyncio.ensure_future(w)
            for w in (self._changed.wait(), self._sleep(max(LEAST_SLEEP_S, moment - now)))
        ]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in done:
                wait.result()  # raises if the sleep failed, which is a bug
        finally:
            for wait in waits:
                wait.cancel()
