"""Claims: which process works on what, decided with files that are only put if absent.

A claim is a row of numbered files; whoever put the one with the highest number holds it, until the
time in that file. The holder renews it by putting the next number. If the holder stops renewing,
another process takes over by putting the next number itself: of several, one succeeds.

A holder that was stopped and woke up late may work beside the new one for a moment. That costs a
few repeated calls and nothing else: a result is a file too, and the first one counts.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from auditor.store.shared_files import SharedFiles

LOOK_EVERY_S = 1.0
"""How often a process looks again whether another one has finished what it waits for."""


class ClaimFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of one file of a claim."""

    holder: str
    """For people: the part, the host and the process."""
    until: datetime


_claim_file = msgspec.json.Decoder(ClaimFile)


class Claim:
    """A claim that this process holds."""

    def __init__(self, claims: "Claims", place: str, number: int) -> None:
        self.place = place
        self.number = number
        """The number of the file that this process put last."""
        self._claims = claims

    @property
    def renew_every_s(self) -> float:
        """How often to renew the claim."""
        return self._claims.lease.total_seconds() / 3

    def renew(self) -> bool:
        """Hold the claim for another lease; return False if another process has taken it over."""
        is_renewed = self._claims.put(self.place, self.number + 1)
        if is_renewed:
            self.number += 1
        return is_renewed


class Claims:
    """The claims of one run, as one process sees them. All calls block: use a thread."""

    def __init__(
        self,
        files: SharedFiles,
        folder: str,
        *,
        holder: str,
        now: Callable[[], datetime],
        lease: timedelta,
    ) -> None:
        """`lease` is how long a claim is held without being renewed."""
        self._files = files
        self._folder = folder
        self._holder = holder
        self._now = now
        self.lease = lease

    def take(self, place: str) -> Claim | None:
        """Take the claim of a place, or return None because another process holds it."""
        number = self.highest().get(place, 0)
        if number and not self.is_over(place, number):
            return None
        return Claim(self, place, number + 1) if self.put(place, number + 1) else None

    def highest(self) -> dict[str, int]:
        """Return the highest number of each place that somebody has claimed."""
        found: dict[str, int] = {}
        for name in self._files.names(self._folder):
            *_, place, number = name.split("/")
            found[place] = max(found.get(place, 0), int(number))
        return found

    def is_over(self, place: str, number: int) -> bool:
        """Return whether the holder of a claim has stopped renewing it."""
        data = self._files.get(self._name(place, number))
        if data is None:  # the run was published meanwhile, and its files are deleted
            return False
        return _claim_file.decode(data).until < self._now()

    def put(self, place: str, number: int) -> bool:
        """Put one file of a claim, and return whether that makes this process the holder."""
        content = ClaimFile(holder=self._holder, until=self._now() + self.lease)
        name = self._name(place, number)
        return self._files.put_if_absent(name, msgspec.json.encode(content))

    def _name(self, place: str, number: int) -> str:
        return f"{self._folder}/{place}/{number:06}"
