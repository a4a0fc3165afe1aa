"""The waiting calls of one API class: whose turn it is, and when it comes.

First come, first served for a customer, and in turn between customers.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import count

from asyncio_throttle.throttler import Throttler

from auditor.partner_center.pacing.local_quota import Quota
from auditor.partner_center.pacing.rates import MINUTE_S, CustomerRate, Limits, Rate, window

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

WINDOW_S = 1.0
"""About how long a window of the throttler is."""
LEAST_SLEEP_S = 0.004
"""So that a thousand calls a second do not mean a thousand timers."""
CATCH_UP_S = 0.02
"""How much of its schedule a line that was held up makes up for."""
WATCHED = 50
"""So many calls of others in a row a partner at its limit would hardly let through."""


class Customer:
    """The waiting calls of one customer in one API class."""

    def __init__(self, name: str, rate: CustomerRate | None) -> None:
        self.name = name
        self.rate = rate
        """None for calls that are on no customer's account."""
        self.waiting: list[asyncio.Future[float]] = []
        self.in_flight = 0
        self.in_line = False
        self.was_refused = False
        """Nothing of it got through since: if it is refused again, the limit is its own."""

    def ready_at(self, now: float) -> float:
        return self.rate.ready_at(now) if self.rate else now

    def next_waiter(self) -> asyncio.Future[float] | None:
        while self.waiting and self.waiting[0].done():  # given up meanwhile
            del self.waiting[0]
        return self.waiting[0] if self.waiting else None

    def is_idle(self, now: float) -> bool:
        """Tell whether forgetting it changes nothing."""
        busy = self.waiting or self.in_flight or self.in_line
        return not busy and (self.rate is None or self.rate.is_fresh(now))


class _Refusal:
    """A customer's, and how many calls of others that started since got through."""

    def __init__(self, at: float, rate: CustomerRate) -> None:
        self.at = at
        self.rate = rate
        self.others_since = 0


class Line:
    """The waiting calls of one API class."""

    def __init__(
        self, per_minute: float, limits: Limits, quota: Quota | None, clock: Clock, sleep: Sleep
    ) -> None:
        self._limits = limits
        self._quota = quota
        self._clock = clock
        self._sleep = sleep
        self._rate = Rate(per_minute)
        calls, period = window(per_minute, WINDOW_S)
        self._throttler = Throttler(calls, period, retry_interval=0.001)
        self._next_at = 0.0
        self._customers: dict[str, Customer] = {}
        self._sweep_above = 1024
        self._turns: deque[Customer] = deque()
        self._held: list[tuple[float, int, Customer]] = []
        self._order = count()
        self._news = asyncio.Event()
        self._paused_until = 0.0
        self._watched: dict[str, _Refusal] = {}
        """Customers refused of late, whose refusals may yet turn out to be the partner's."""

    def customer(self, name: str) -> Customer:
        known = self._customers.get(name)
        if known is None:
            if len(self._customers) >= self._sweep_above:
                now = self._clock()
                self._customers = {n: c for n, c in self._customers.items() if not c.is_idle(now)}
                self._sweep_above = max(1024, 2 * len(self._customers))
            known = self._customers[name] = Customer(
                name, CustomerRate(self._limits.per_customer) if name else None
            )
        return known

    def join(self, customer: Customer) -> asyncio.Future[float]:
        """Return a future that is given the moment at which the call's turn comes."""
        waiter: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        customer.waiting.append(waiter)
        self._line_up(customer)
        return waiter

    def finished(self, customer: Customer) -> None:
        """Let the customer's next call in: one has ended, however it went."""
        customer.in_flight -= 1
        self._line_up(customer)

    def got_through(self, customer: Customer, started_at: float) -> None:
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

    def refused(self, customer: Customer, started_at: float, wait_s: float) -> None:
        """Stop the smallest gate that explains a 429, and lower its rate.

        That is the customer's, unless another one is refused before many calls of others got
        through: then it was the partner's after all.
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
        self._news.set()

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
        """Wait until some call may start, other processes apart."""
        while True:
            now = self._clock()
            while self._held and self._held[0][0] <= now:
                self._turns.append(heapq.heappop(self._held)[2])
            starts_at = max(self._paused_until, self._next_at)
            if self._turns and starts_at <= now:
                return
            if self._turns:
                # no news can bring it forward
                await self._sleep(max(LEAST_SLEEP_S, starts_at - now))
            else:
                held = max(self._held[0][0], starts_at) if self._held else None
                await self._news_or(held, now)

    async def permit(self) -> None:
        """Take a permit: of this process, and of all that share the quota.

        The schedule spreads the calls evenly, and the throttler sees to it that no window holds
        too many, come what may.
        """
        per_minute = self._rate.per_minute(self._clock())
        self._throttler.rate_limit, self._throttler.period = window(per_minute, WINDOW_S)
        await self._throttler.acquire()  # type: ignore[no-untyped-call] # ships no types
        self._next_at = max(self._next_at, self._clock() - CATCH_UP_S) + MINUTE_S / per_minute
        if self._quota is not None:
            await self._quota.take()

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
            del customer.waiting[0]
            customer.in_flight += 1
            if customer.rate:
                customer.rate.started(now)
            waiter.set_result(now)
            self._line_up(customer)
            return True
        return False

    def abandon(self) -> None:
        for customer in self._customers.values():
            for waiter in customer.waiting:
                waiter.cancel()

    def _line_up(self, customer: Customer) -> None:
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

    def _hold(self, customer: Customer, until: float) -> None:
        customer.in_line = True
        heapq.heappush(self._held, (until, next(self._order), customer))

    async def _news_or(self, moment: float | None, now: float) -> None:
        self._news.clear()
        if moment is None:
            await self._news.wait()
            return
        waits = [
            asyncio.ensure_future(w)
            for w in (self._news.wait(), self._sleep(max(LEAST_SLEEP_S, moment - now)))
        ]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in done:
                wait.result()  # a sleep that broke is a bug to hear of
        finally:
            for wait in waits:
                wait.cancel()
