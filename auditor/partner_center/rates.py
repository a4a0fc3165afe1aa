"""Rates: how many calls in how long, and what a refusal does to that.

A minute's limit is cut into slices, so that it never goes out in one burst: any minute then holds
the limit and no more, and a process that starts again exceeds it by one slice at most.
"""

from collections import deque
from collections.abc import Mapping

import msgspec

CUSTOMER_SLICE_S = 6.0
"""Longer than a partner's: a customer's few calls should not have to wait for each other."""
LEAST_SHARE = 0.05
CLIMB_S = 300.0
"""How long a halved rate takes back to its full height."""
SAME_STORM_S = 10.0
"""Refusals closer together than this may have one cause."""


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
    """A rate that falls when it is refused and climbs back slowly."""

    def __init__(self, per_minute: float) -> None:
        self._full = per_minute
        self._share = 1.0
        self._fell_at = 0.0

    def per_minute(self, now: float) -> float:
        """Return what is held to be allowed at this time."""
        return self._full * self._share_at(now)

    def is_full(self, now: float) -> bool:
        """Tell whether nothing is left of a refusal."""
        return self._share_at(now) >= 1.0

    def fall(self, now: float) -> None:
        """Halve it; refusals of calls that were under way together count once."""
        if self._share < 1.0 and now - self._fell_at < SAME_STORM_S:
            return
        self._share = max(LEAST_SHARE, self._share_at(now) / 2)
        self._fell_at = now

    def _share_at(self, now: float) -> float:
        if self._share < 1.0:
            climbed = self._share + (now - self._fell_at) / CLIMB_S / 2
            if climbed >= 1.0:
                self._share = 1.0
            return min(1.0, climbed)
        return 1.0


def window(per_minute: float, slice_s: float) -> tuple[int, float]:
    """Return (calls, seconds): a whole number of calls in about a slice.

    Whole slices fill a minute, or a minute that begins inside one would hold a slice too many;
    what this leaves of the rate unused is less than a slice.
    """
    calls = max(1, round(per_minute * slice_s / 60))
    slices = int(per_minute // calls)
    return calls, 60 / slices if slices else 60 / per_minute


class CustomerRate:
    """The rate of one customer in one API class, counted call by call."""

    def __init__(self, per_minute: float) -> None:
        self._rate = Rate(per_minute)
        self._paused_until = 0.0
        self._starts: deque[float] = deque(maxlen=window(per_minute, CUSTOMER_SLICE_S)[0])

    def ready_at(self, now: float) -> float:
        """Return when the next call may start."""
        calls, period = window(self._rate.per_minute(now), CUSTOMER_SLICE_S)
        if len(self._starts) < calls:
            return self._paused_until
        return max(self._paused_until, self._starts[-calls] + period)

    def started(self, now: float) -> None:
        """Count a call."""
        self._starts.append(now)

    def refused(self, now: float, until: float) -> None:
        """Stop until then, and go on more slowly."""
        self._paused_until = max(self._paused_until, until)
        self._rate.fall(now)

    def is_fresh(self, now: float) -> bool:
        """Tell whether a new one would allow the same."""
        all_gone = not self._starts or self._starts[-1] + 60 < now
        return all_gone and self._paused_until <= now and self._rate.is_full(now)
