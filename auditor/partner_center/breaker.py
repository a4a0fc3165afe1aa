"""Circuit breakers: one for each endpoint, and one for each customer of an endpoint.

While a customer's breaker is open, its calls fail at once, so that this customer costs the run a
bounded time only. While an endpoint's breaker is open, calls wait for the server: an outage that
ends must not lose the night's run.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import msgspec

CUSTOMER_OPENS_AFTER = 9
"""A customer's breaker opens after so many failed attempts in a row: all those of three calls."""
CUSTOMER_PROBES_S = (30.0, 600.0)
"""The first and the longest wait before a probe."""
PARTNER_OPENS_AFTER = 20
"""An endpoint's breaker opens after so many failed attempts in a row, of several customers."""
PARTNER_PROBES_S = (1.0, 60.0)
LOOKS_EVERY_S = 2.0
"""A waiting call checks this often whether another one was answered."""
LEAST_SLEEP_S = 0.01
"""A shorter sleep may be too short to move a clock."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long a run waits for a server that stops answering.

    A run waits up to the time that it has worked, because it would lose this work. So a long run
    waits until the server comes back, and a run that has just begun ends soon.
    """

    least_s: float = 30.0
    outage_s: float = 900.0
    """The longest wait, over all outages of a run together."""

    def after(self, worked_s: float) -> float:
        """Return the longest wait of a run that had worked `worked_s` when the outage began."""
        return min(self.outage_s, max(self.least_s, worked_s))


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """Permission for one attempt."""

    is_probe: bool = False
    """True if it is sent while the breaker is open, to test whether the server answers now."""


class _Breaker:
    """Opens after `opens_after` failures in a row; any success closes it."""

    def __init__(self, opens_after: int, probes_s: tuple[float, float]) -> None:
        self._opens_after = opens_after
        self._first_s, self._longest_s = probes_s
        self._failures = 0
        self._interval_s = 0.0
        self.opened_at: float | None = None
        """None while it is closed."""
        self.probe_at = 0.0

    def close(self) -> None:
        self._failures = 0
        self.opened_at = None

    def failed(self, now: float, *, may_open: bool = True) -> None:
        self._failures += 1
        if may_open and self._failures >= self._opens_after:
            self.open(now)

    def open(self, now: float) -> None:
        if self.opened_at is None:
            self.opened_at = now
            self._interval_s = self._first_s
            self.probe_at = now + self._first_s

    def probes(self, now: float) -> bool:
        """Return whether this attempt is the probe. Each probe doubles the wait for the next."""
        if now < self.probe_at:
            return False
        self._interval_s = min(2 * self._interval_s, self._longest_s)
        self.probe_at = now + self._interval_s
        return True


class _Partner(_Breaker):
    """The breaker of an endpoint, for all customers together."""

    def __init__(self) -> None:
        super().__init__(PARTNER_OPENS_AFTER, PARTNER_PROBES_S)
        self.has_answered = False
        self._failing: set[str] = set()
        """Customers with a failure after the last success; two are enough to open the breaker."""
        self.waiting: Counter[int] = Counter()
        """How many calls wait for permission to start, by the attempts each has made so far."""

    @contextmanager
    def waits(self, spent: int) -> Iterator[None]:
        self.waiting[spent] += 1
        try:
            yield
        finally:
            self.waiting[spent] -= 1
            self.waiting += Counter()  # keeps what is above 0

    def close(self) -> None:
        super().close()
        self.has_answered = True
        self._failing.clear()

    def failed_for(self, customer_id: str, now: float) -> None:
        if len(self._failing) <= 1:
            self._failing.add(customer_id)
        self.failed(now, may_open=len(self._failing) > 1 or "" in self._failing)


class Breakers:
    """The breakers of one partner's run."""

    def __init__(
        self,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        patience: Patience,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._patience = patience
        self._began = clock()
        self._waited_s = 0.0
        """The time waited in past outages."""
        self._partners: dict[str, _Partner] = {}
        self._customers: dict[tuple[str, str], _Breaker] = {}

    async def ticket(self, endpoint: str, customer_id: str, spent: int) -> Ticket | None:
        """Return permission for one attempt; None if a breaker is open and waiting is useless.

        `spent` counts the call's earlier attempts. This waits through an outage of a server that
        has answered before.
        """
        partner = self._partners.setdefault(endpoint, _Partner())
        with partner.waits(spent):
            while partner.opened_at is not None:
                now = self._clock()
                # A failed probe costs an attempt, so the calls with most attempts left probe.
                may_probe = spent == min(partner.waiting)
                if may_probe and partner.probes(now):
                    return Ticket(is_probe=True)
                patience_s = self._patience.after(partner.opened_at - self._began)
                give_up_at = partner.opened_at + patience_s - self._waited_s
                if not partner.has_answered or now >= give_up_at:
                    return None
                wait_s = (min(partner.probe_at, give_up_at) if may_probe else give_up_at) - now
                await self._sleep(min(max(LEAST_SLEEP_S, wait_s), LOOKS_EVERY_S))
        customer = self._customers.get((endpoint, customer_id))
        if customer is None or customer.opened_at is None:
            return Ticket()
        return Ticket(is_probe=True) if customer.probes(self._clock()) else None

    def still_holds(self, ticket: Ticket, endpoint: str, customer_id: str) -> bool:
        """Return whether the permission still holds when the pacer lets the attempt start."""
        if ticket.is_probe:
            return True
        customer = self._customers.get((endpoint, customer_id))
        is_open = customer is not None and customer.opened_at is not None
        return not is_open and self._partners[endpoint].opened_at is None

    def answered(self, endpoint: str, customer_id: str) -> None:
        """Record that an attempt got a reply, a success or not."""
        partner = self._partners[endpoint]
        if partner.opened_at is not None:
            self._waited_s += self._clock() - partner.opened_at
        partner.close()
        self._customers.pop((endpoint, customer_id), None)

    def failed(self, endpoint: str, customer_id: str) -> None:
        """Record that an attempt failed."""
        now = self._clock()
        self._partners[endpoint].failed_for(customer_id, now)
        if customer_id:
            self._of_customer(endpoint, customer_id).failed(now)

    def gave_up(self, endpoint: str, customer_id: str) -> None:
        """Record that a call got 429s for as long as a call may wait."""
        if customer_id:
            self._of_customer(endpoint, customer_id).open(self._clock())

    def _of_customer(self, endpoint: str, customer_id: str) -> _Breaker:
        return self._customers.setdefault(
            (endpoint, customer_id), _Breaker(CUSTOMER_OPENS_AFTER, CUSTOMER_PROBES_S)
        )
