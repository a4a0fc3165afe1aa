"""How a run reports its progress: as a bar on a terminal, as event lines elsewhere."""

from typing import Protocol


class Progress(Protocol):
    """Receives a run's reports, partner by partner; its methods are cheap and never fail."""

    def event(self, name: str, **fields: object) -> None:
        """Report an event, such as `snapshot.published`."""

    def phase(self, partner: str, name: str, total: int | None = None) -> None:
        """Report that a partner's run enters a phase; `total` is its number of steps, if known."""

    def step(self, partner: str, done: int = 1, failed: int = 0) -> None:
        """Report that steps of the phase are done, `failed` of them without an answer."""


class Silent:
    """Reports nowhere."""

    def event(self, name: str, **fields: object) -> None:
        """Report nothing."""

    def phase(self, partner: str, name: str, total: int | None = None) -> None:
        """Report nothing."""

    def step(self, partner: str, done: int = 1, failed: int = 0) -> None:
        """Report nothing."""
