"""When a listing is asked again: `[cache]`. Pure. See docs/decisions/0009."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """Tells which listings of one kind a run asks again."""

    now: datetime
    """When the run began: a resumed one decides as it did before."""
    hours: float
    """After which a listing is asked again; 0: in every run."""
    in_slices: bool = False
    """Whether a listing has a turn of its own within the hours, so that they are spread evenly
    over the runs. Without, only its age counts."""
    turns: Mapping[str, float] = {}
    """When in the hours each listing has its turn, from 0 to 1."""

    def among(self, names: Iterable[str]) -> "Due":
        """Return the same for these listings, their turns at even distances.

        Their order is that of their hashes: a name that comes or goes moves the others by little.
        """
        order = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
        turns = {name: (place + 0.5) / len(order) for place, name in enumerate(order)}
        return msgspec.structs.replace(self, turns=turns)

    def is_due(self, name: str, listed_at: datetime | None) -> bool:
        """Tell whether a listing is to be asked; what lies in the future is not believed."""
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
    """Return how often a turn has come by then."""
    return (at.timestamp() / period - turn) // 1
