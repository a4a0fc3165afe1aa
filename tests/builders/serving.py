"""A sandbox in its own thread, for runs in other processes."""

import time
from collections import Counter
from typing import Any

from auditor.sandbox import Fault, Faults, Record, Sandbox, World, WorldSize, environment_token
from tests.builders.server_thread import ServerThread

Question = tuple[object, ...]


class Serving(ServerThread):
    """Runs a sandbox while its context is open; the test reads the server's log directly."""

    def __init__(self, seed: int, size: WorldSize, *, delay_s: float = 0.0, **sandbox: Any) -> None:
        """Delay each reply by `delay_s`, so that there are always calls in flight."""
        super().__init__("sandbox")
        faults = Faults([Fault(delay_s=delay_s)] if delay_s else [])
        self.sandbox = Sandbox(World(seed, size), faults=faults, **sandbox)

    async def _serve(self) -> None:
        async with self.sandbox:
            self._is_up.set()
            await self._done.wait()

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables with the tokens."""
        return {
            environment_token(partner).removeprefix("env:"): partner.token
            for partner in self.sandbox.world.partners()
        }

    @property
    def tokens(self) -> list[str]:
        return list(self.environ.values())

    @property
    def calls(self) -> int:
        """Number of answered calls since the log was cleared."""
        return len(self.sandbox.log.records)

    def begin(self, night: int) -> None:
        """Wait until no call is in flight, clear the log and go to a night."""
        self.settle()
        self.sandbox.log.clear()
        self.sandbox.world.night = night

    def settle(self) -> None:
        """Wait until the server has finished the calls of a killed run."""
        give_up_at = time.monotonic() + 10
        while self.sandbox.log.in_flight and time.monotonic() < give_up_at:
            time.sleep(0.001)

    def questions(self) -> Counter[Question]:
        """Return how often each question was received."""
        return Counter(map(_question, list(self.sandbox.log.records)))


def _question(record: Record) -> Question:
    context = tuple(sorted(record.context.items()))
    return (record.partner, record.method, record.path, record.query, record.targets, context)
