"""Times that keep their order: a later request has a later time, even if the clock is set back."""

from collections.abc import Callable
from datetime import datetime, timedelta

_TICK = timedelta(microseconds=1)


def never_back(now: Callable[[], datetime], latest: datetime | None) -> Callable[[], datetime]:
    """Return a clock that starts after `latest` and never goes back.

    While the real clock is behind, each reading is one microsecond after the one before.
    """

    def read() -> datetime:
        nonlocal latest
        at = now()
        if latest is not None and at < latest:
            at = latest + _TICK
        latest = at
        return at

    return read
