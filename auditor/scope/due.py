"""Decides which listings a run must ask, from the hours in `[cache]`. Pure.

See docs/decisions/0009.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """Decides which listings of one kind a run must ask."""

    now: datetime
    """The time at which the run began: a resumed run then decides the same."""
    hours: float
    """A listing whose last answer is this old is due; with 0, every listing is due."""
    in_slices: bool = False
    """If true, each listing has its own turn, so that the listings are spread evenly over the runs
    within `hours`. If false, only the age counts."""
    turns: Mapping[str, float] = {}
    """The turn of each listing: a point in the period `hours`, as a share of it from 0 to 1."""

    def among(self, names: Iterable[str]) -> "Due":
        """Return a copy that gives these listings turns at even distances.

        The turns are in the order of the names' hashes. So a name that is added or removed moves
        the other turns only a little.
        """
        order = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
        turns = {name: (place + 0.5) / len(order) for place, name in enumerate(order)}
        return msgspec.structs.replace(self, turns=turns)

    def is_due(self, name: str, listed_at: datetime | None) -> bool:
        """Return True if a listing must be asked. A `listed_at` in the future counts as None."""
        if listed_at is None or listed_at > self.now:
            return True
        period = self.hours * 3600
        if (self.now - listed_at).total_seconds() >= period:
            return True
        turn = self.turns.get(name)
        if not self.in_slices or turn is None:
            return False
        return _had(turn, period, self.now) > _had(turn, period, listed_at)


EVERY_RUN = Due(now=datetime.min.replace(tzinfo=UTC), hours=0)


def _had(turn: float, period: float, at: datetime) -> float:
    """Return how often a turn has come until `at`, counted from a fixed moment long ago."""
    return (at.timestamp() / period - turn) // 1
