"""A sandbox in a thread of its own, for runs in other processes."""

import time
from collections import Counter
from typing import Any

from auditor.sandbox import Fault, Faults, Record, Sandbox, World, WorldSize, environment_token
from tests.builders.background import Background

Question = tuple[object, ...]


class Serving(Background):
    """Runs a sandbox until it is left; what the server saw is read from this side."""

    def __init__(self, seed: int, size: WorldSize, *, delay_s: float = 0.0, **sandbox: Any) -> None:
        """Take how long each reply is held back, so that there are always calls in flight."""
        super().__init__("sandbox")
        faults = Faults([Fault(delay_s=delay_s)] if delay_s else [])
        self.sandbox = Sandbox(World(seed, size), faults=faults, **sandbox)

    async def _serve(self) -> None:
        async with self.sandbox:
            self._is_up.set()
            await self._done.wait()

    @property
    def environ(self) -> dict[str, str]:
        """What a run finds its tokens by."""
        return {
            environment_token(partner).removeprefix("env:"): partner.token
            for partner in self.sandbox.world.partners()
        }

    @property
    def tokens(self) -> list[str]:
        return list(self.environ.values())

    @property
    def calls(self) -> int:
        """How many were answered since the log was cleared."""
        return len(self.sandbox.log.records)

    def begin(self, night: int) -> None:
        """Forget what was asked, once nobody asks any more, and go to a night."""
        self.settle()
        self.sandbox.log.clear()
        self.sandbox.world.night = night

    def settle(self) -> None:
        """Wait until what a killed run had asked is answered, or found to be nobody's."""
        give_up_at = time.monotonic() + 10
        while self.sandbox.log.in_flight and time.monotonic() < give_up_at:
            time.sleep(0.001)

    def asked(self) -> Counter[Question]:
        """Return how often each question came."""
        return Counter(map(_question, list(self.sandbox.log.records)))


def _question(record: Record) -> Question:
    context = tuple(sorted(record.context.items()))
    said = (record.method, record.path, record.query, record.targets, context)
    return (record.partner, *said)
