"""Rates: how many calls in how long, and what a refusal teaches about that (docs/decisions/0008).

A minute's limit is cut into slices, so that it never goes out in one burst: any minute then holds
the limit and no more, and a process that starts again exceeds it by one slice at most.
"""

import math
from collections.abc import Mapping

import msgspec

MINUTE_S = 60.0
CUSTOMER_SLICE_S = 6.0
"""Longer than a partner's: a customer's few calls should not have to wait for each other."""
LEARNED_SLICE_S = 1.0
"""Where a refusal showed a limit: of calls that go out together, several would be refused."""
LEAST_PER_MINUTE = 1.0
LITTLE = 0.02
"""How much less than what was refused is held to be allowed."""
MARGIN = 0.04
"""How far below its ceiling a rate starts again, at least, and how gently it goes above it."""
PLATEAU_S = 20.0
LONGEST_PLATEAU_S = 600.0
PLATEAU_CALLS = 200
"""How long, and for how many calls at least, a rate stays below its ceiling before it tries more:
a low limit is tried no more often per call than a high one."""
GROWTH = 4.0
"""How many times higher a rate gets in another plateau's time, where nothing refuses it."""
SOON_S = 5.0
"""A second refusal within this time of the end of the first one's wait says that the limit fell."""
LONG_WAIT_S = 5.0
"""A wait longer than this is of a window about as long as the minute that is counted here."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one partner may ask for."""

    per_minute: Mapping[str, float]
    """Calls started in a minute, at most, for each API class."""
    per_customer: float
    """Of each class, for one customer."""
    concurrency: int

    @property
    def per_customer_in_flight(self) -> int:
        """A customer that never answers holds no more connections than this."""
        return max(1, self.concurrency // 16)


class Rate:
    """A rate that falls to what got through when it is refused, and feels its way up again.

    The height is a cubic of the time since: quick at first, then ever slower towards the ceiling
    that the refusal showed, then a little above it; where that is not refused, the limit has risen,
    and it grows by the same factor in the same time until it is back at its full height.
    """

    def __init__(self, per_minute: float) -> None:
        self._full = per_minute
        self._ceiling = math.inf
        """Infinite where nothing was refused."""
        self._floor = 0.0
        self._fell_at = -math.inf
        self._before = (self._ceiling, self._floor, self._fell_at)
        self._through = _Through()

    def per_minute(self, now: float) -> float:
        """Return what is held to be allowed at this time."""
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
        """Tell whether nothing is left of a refusal."""
        return self.per_minute(now) >= self._full

    def got_through(self, now: float) -> None:
        """Count a call that was not refused."""
        self._through.add(now)

    def is_of_last_fall(self, started_at: float) -> bool:
        """Tell whether a call was under way, or might have been, when it last fell."""
        return started_at < self._fell_at

    def fall(self, now: float, until: float, started_at: float) -> None:
        """Fall to what got through in the minute that ends when the server has room again.

        That is the limit itself where the wait is long. A short wait may be of a short window,
        and then the limit lies between that and what was tried. It falls to half at most, for a
        server may ask for a longer wait than its window is; once for all calls that were under
        way together; and not at all where nothing gets through, for nothing is learned from that.
        """
        calls, earliest = self._through.since(until - MINUTE_S)
        if self.is_of_last_fall(started_at) or not calls:
            return
        tried = self.per_minute(now)
        through = calls * MINUTE_S / max(until - earliest, 0.001)
        if now < self._fell_at + SOON_S:
            through = 0.0  # what got through before tells of a limit that is no more
        through = min(tried, max(tried / 2, through))
        ceiling = through if until - now > LONG_WAIT_S else tried * (1 - LITTLE)
        self._before = (self._ceiling, self._floor, self._fell_at)
        least = min(self._full, LEAST_PER_MINUTE)
        self._ceiling = max(least, ceiling)
        self._floor = min(max(least, through), self._ceiling * (1 - MARGIN))
        self._fell_at = until

    def pardon(self) -> None:
        """Undo the last fall: it had another cause."""
        self._ceiling, self._floor, self._fell_at = self._before


class _Through:
    """When calls got through, to a tenth of a second, for as long as a minute."""

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
        """Return how many calls got through since then, and since when it counts.

        That is `start`, unless the first call known of came later.
        """
        calls = sum(calls for at, calls in self._counted if at >= start)
        earliest = max(start, self._counted[0][0]) if self._counted else start
        return calls, earliest


def window(per_minute: float, slice_s: float) -> tuple[int, float]:
    """Return (calls, seconds): a whole number of calls in about a slice.

    Whole slices fill a minute, or a minute that begins inside one would hold a slice too many;
    what this leaves of the rate unused is less than a slice.
    """
    calls = max(1, round(per_minute * slice_s / 60))
    slices = int(per_minute // calls)
    return calls, 60 / slices if slices else 60 / per_minute


class CustomerRate:
    """The rate of one customer in one API class, counted call by call.

    There are thousands of them: an empty deque, here or in `_Through`, takes ten times a list.
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
        """Let nothing start before then."""
        self._paused_until = max(self._paused_until, until)

    def is_fresh(self, now: float) -> bool:
        """Tell whether a new one would allow the same."""
        all_gone = not self._starts or self._starts[-1] + MINUTE_S < now
        return all_gone and self._paused_until <= now and self.learned.is_full(now)
