"""When a call is retried: `Retry-After`, the backoff, and the number of retries in a run."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

ATTEMPTS = 3
"""The most attempts of one call, the first included. An attempt answered 429 does not count."""
DEFAULT_WAIT_S = 10.0
"""The wait after a 429 without `Retry-After`."""
LONGEST_WAIT_S = 600.0
"""The most that one call waits after 429s, in all."""
MOST_WAITS = 20
BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 20.0


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Return the wait that a `Retry-After` asks for, at least 0; None without a valid one.

    Microsoft documents seconds; the standard allows a date as well.
    """
    text = (header or "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError):
            return None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        seconds = (at - now).total_seconds()
    if seconds != seconds:  # noqa: PLR0124 - only a NaN is not itself
        return None
    return max(0.0, min(seconds, LONGEST_WAIT_S + 1))


def backoff_s(attempt: int, random: Callable[[], float]) -> float:
    """Return the wait before the next attempt, with full jitter."""
    longest = min(LONGEST_BACKOFF_S, BACKOFF_S * 2.0 ** (attempt - 1))
    return random() * longest


class RetryBudget:
    """Keeps all retries of a run below a tenth of its calls, plus a hundred."""

    def __init__(self, *, share: float = 0.10, floor: int = 100) -> None:
        self._share = share
        self._floor = floor
        self._first_attempts = 0
        self._retries = 0

    def first(self) -> None:
        """Count a call's first attempt."""
        self._first_attempts += 1

    def spend(self) -> None:
        """Count a retry that the budget does not limit."""
        self._retries += 1

    def allows(self) -> bool:
        """Return whether the budget allows one more retry; count the retry if it does."""
        if self._retries + 1 > self._share * self._first_attempts + self._floor:
            return False
        self.spend()
        return True
