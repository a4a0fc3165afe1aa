"""Rates: calls a minute, and what a 429 teaches about them (docs/decisions/0008).

A minute's limit is cut into slices, so that it is not spent in one burst: no minute holds more
calls than the limit, and a process that restarts exceeds it by one slice at most.
"""

import math
from collections.abc import Mapping

import msgspec

MINUTE_S = 60.0
CUSTOMER_SLICE_S = 6.0
"""Longer than a partner's slice, so that a customer's few calls need not wait for each other."""
LEARNED_SLICE_S = 1.0
"""The slice after a 429: of calls that start together, the server would refuse several."""
LEAST_PER_MINUTE = 1.0
LITTLE = 0.02
"""The limit is taken to be this share below the rate that was refused."""
MARGIN = 0.04
"""A rate restarts at least this share below its ceiling, and first rises this share above it."""
PLATEAU_S = 20.0
LONGEST_PLATEAU_S = 600.0
PLATEAU_CALLS = 200
"""A rate stays below its ceiling this long, and for at least this many calls, before it tries more:
so a low limit is exceeded no more often per call than a high one."""
GROWTH = 4.0
"""Without a 429, a rate grows by this factor in each further plateau time."""
SOON_S = 5.0
"""A second 429 within this time after the first one's wait means that the limit fell."""
LONG_WAIT_S = 5.0
"""A longer wait means that the server's window is about as long as the minute counted here."""


class PaceLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one partner's calls."""

    per_minute: Mapping[str, float]
    """Most calls started in a minute, by API class."""
    per_customer: float
    """Most calls started in a minute for one customer, in each API class."""
    concurrency: int

    @property
    def per_customer_in_flight(self) -> int:
        """The connections that one customer may hold, even if its calls hang."""
        return max(1, self.concurrency // 16)


class Rate:
    """A rate that falls to what passed when a call gets a 429, and climbs again.

    The climb is a cubic of the time since: fast at first, slow near the ceiling that the 429
    showed, then a little above the ceiling. If that gets no 429, the limit has risen: the rate
    grows by a constant factor per time until it is full again.
    """

    def __init__(self, per_minute: float) -> None:
        self._full = per_minute
        self._ceiling = math.inf
        """Infinite if no call got a 429."""
        self._floor = 0.0
        self._fell_at = -math.inf
        self._before = (self._ceiling, self._floor, self._fell_at)
        self._through = _Through()

    def per_minute(self, now: float) -> float:
        """Return the calls a minute that the server is believed to allow now."""
        if self._ceiling == math.inf:
            return self._full
        plateau_s = MINUTE_S * PLATEAU_CALLS / self._ceiling
        plateau_s = min(max(PLATEAU_S, plateau_s), LONGEST_PLATEAU_S)
        since = max(0.0, now - self._fell_at) / plateau_s - 1
        depth = self._ceiling * MARGIN if since > 0 else self._ceiling - self._floor
        height = self._ceiling + depth * min(since, 1) ** 3
        if since > 1:
            height *= GROWTH ** (since - 1)
        if height >= self._full:
            self._ceiling = math.inf
        return min(self._full, height)

    def is_full(self, now: float) -> bool:
        """Tell whether the rate has recovered from its last fall."""
        return self.per_minute(now) >= self._full

    def got_through(self, now: float) -> None:
        """Count a call that was not refused."""
        self._through.add(now)

    def is_of_last_fall(self, started_at: float) -> bool:
        """Tell whether a call started before the last fall ended."""
        return started_at < self._fell_at

    def fall(self, now: float, until: float, started_at: float) -> None:
        """Fall to the calls that passed in the minute that ends at `until`.

        After a long wait, that number is the limit. A short wait may come from a short window;
        the limit then lies between that number and the rate that was tried. The rate at most
        halves, because a server may ask for a wait longer than its window; it falls once for all
        calls in flight together; and it stays if no call passes, which teaches nothing.
        """
        calls, earliest = self._through.since(until - MINUTE_S)
        if self.is_of_last_fall(started_at) or not calls:
            return
        tried = self.per_minute(now)
        through = calls * MINUTE_S / max(until - earliest, 0.001)
        if now < self._fell_at + SOON_S:
            through = 0.0  # what passed before shows the old, higher limit
        through = min(tried, max(tried / 2, through))
        ceiling = through if until - now > LONG_WAIT_S else tried * (1 - LITTLE)
        self._before = (self._ceiling, self._floor, self._fell_at)
        least = min(self._full, LEAST_PER_MINUTE)
        self._ceiling = max(least, ceiling)
        self._floor = min(max(least, through), self._ceiling * (1 - MARGIN))
        self._fell_at = until

    def pardon(self) -> None:
        """Undo the last fall, if the 429 had another cause."""
        self._ceiling, self._floor, self._fell_at = self._before


class _Through:
    """When calls passed in the last minute, to a tenth of a second."""

    _GRAIN_S = 0.1

    def __init__(self) -> None:
        self._counted: list[tuple[float, int]] = []

    def add(self, now: float) -> None:
        while self._counted and self._counted[0][0] < now - MINUTE_S - self._GRAIN_S:
            del self._counted[0]
        if self._counted and now - self._counted[-1][0] < self._GRAIN_S:
            at, calls = self._counted.pop()
            self._counted.append((at, calls + 1))
        else:
            self._counted.append((now, 1))

    def since(self, start: float) -> tuple[int, float]:
        """Return how many calls passed since `start`, and the start of that time.

        If the first recorded call is later than `start`, the time starts with that call.
        """
        calls = sum(calls for at, calls in self._counted if at >= start)
        earliest = max(start, self._counted[0][0]) if self._counted else start
        return calls, earliest


def window(per_minute: float, slice_s: float) -> tuple[int, float]:
    """Return (calls, seconds): a whole number of calls in about one slice.

    A whole number of slices fills a minute; otherwise a minute that begins inside a slice would
    hold one slice too many. Less than one slice of the rate stays unused.
    """
    calls = max(1, round(per_minute * slice_s / 60))
    slices = int(per_minute // calls)
    return calls, 60 / slices if slices else 60 / per_minute


class CustomerRate:
    """The rate of one customer in one API class, counted call by call.

    There are thousands of these objects: an empty deque, here or in `_Through`, takes ten times
    the memory of a list.
    """

    def __init__(self, per_minute: float) -> None:
        self.learned = Rate(per_minute)
        self._paused_until = 0.0
        self._most = window(per_minute, CUSTOMER_SLICE_S)[0]
        self._starts: list[float] = []

    def ready_at(self, now: float) -> float:
        """Return when the next call may start."""
        slice_s = CUSTOMER_SLICE_S if self.learned.is_full(now) else LEARNED_SLICE_S
        calls, period = window(self.learned.per_minute(now), slice_s)
        if len(self._starts) < calls:
            return self._paused_until
        return max(self._paused_until, self._starts[-calls] + period)

    def started(self, now: float) -> None:
        """Count a call."""
        self._starts.append(now)
        del self._starts[: -self._most]

    def pause(self, until: float) -> None:
        """Start no call before `until`."""
        self._paused_until = max(self._paused_until, until)

    def is_fresh(self, now: float) -> bool:
        """Tell whether it allows the same as a new `CustomerRate`."""
        all_gone = not self._starts or self._starts[-1] + MINUTE_S < now
        return all_gone and self._paused_until <= now and self.learned.is_full(now)
