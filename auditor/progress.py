"""How a run tells what it is doing: a bar on a terminal, event lines elsewhere."""

from typing import Protocol


class Progress(Protocol):
    """What a run reports to, partner by partner; its calls are cheap and never fail."""

    def event(self, name: str, **fields: object) -> None:
        """Tell that something happened, such as `snapshot.published`."""

    def phase(self, partner: str, name: str, total: int | None = None) -> None:
        """Tell that a partner's run enters a phase, of `total` steps where that is known."""

    def step(self, partner: str, done: int = 1, failed: int = 0) -> None:
        """Tell that steps of the phase are done, `failed` of them without an answer."""


class Silent:
    """Reports nowhere."""

    def event(self, name: str, **fields: object) -> None:
        """Say nothing."""

    def phase(self, partner: str, name: str, total: int | None = None) -> None:
        """Say nothing."""

    def step(self, partner: str, done: int = 1, failed: int = 0) -> None:
        """Say nothing."""
