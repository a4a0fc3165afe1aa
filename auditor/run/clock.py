"""Times that tell an order: what is asked later has the later one, however the clock is set."""

from collections.abc import Callable
from datetime import datetime, timedelta

_TICK = timedelta(microseconds=1)


def never_back(now: Callable[[], datetime], latest: datetime | None) -> Callable[[], datetime]:
    """Return a clock that starts after `latest` and never goes back.

    While the real one is behind, it stands still but for a microsecond each time it is read.
    """

    def read() -> datetime:
        nonlocal latest
        at = now()
        if latest is not None and at < latest:
            at = latest + _TICK
        latest = at
        return at

    return read
