"""When a listing is asked again: `[cache]`. Pure. See docs/decisions/0009."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """Decides which listings of one kind a run asks again."""

    now: datetime
    """When the run began, so that a resumed run decides the same."""
    hours: float
    """The age at which a listing is asked again; 0: in every run."""
    in_slices: bool = False
    """Whether each listing has a turn of its own within the hours, which spreads the listings
    evenly over the runs. If not, only the age counts."""
    turns: Mapping[str, float] = {}
    """The turn of each listing within the hours, from 0 to 1."""

    def among(self, names: Iterable[str]) -> "Due":
        """Return the same with a turn for each of these listings, at even distances.

        Hashes give the order: a name that is added or removed moves the other turns only a little.
        """
        order = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
        turns = {name: (place + 0.5) / len(order) for place, name in enumerate(order)}
        return msgspec.structs.replace(self, turns=turns)

    def is_due(self, name: str, listed_at: datetime | None) -> bool:
        """Tell whether a listing must be asked; a time in the future is not trusted."""
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
    """Return how many times the turn has come up to a time."""
    return (at.timestamp() / period - turn) // 1
