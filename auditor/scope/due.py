"""When a listing is asked again: `[cache]`. Pure. See docs/decisions/0009."""

import hashlib
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

    def is_due(self, name: str, listed_at: datetime | None) -> bool:
        """Tell whether a listing is to be asked; what lies in the future is not believed."""
        if listed_at is None or listed_at > self.now:
            return True
        period = self.hours * 3600
        if (self.now - listed_at).total_seconds() >= period:
            return True
        return self.in_slices and _turns(name, period, self.now) > _turns(name, period, listed_at)


EVERY_RUN = Due(now=datetime.min.replace(tzinfo=UTC), hours=0)


def _turns(name: str, period: float, at: datetime) -> float:
    """Return how many turns a listing has had by then: its place in a period is its name's."""
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    return (at.timestamp() / period - place) // 1
