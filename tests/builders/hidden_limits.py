"""A server with limits unknown to the client, on a clock that the tests move."""

import asyncio
import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence

from auditor.partner_center.pacing.pacer import Pacer

Steps = Sequence[tuple[float, float]]
"""(from second, limit), in order."""


class Hidden:
    """A sliding-window limit that changes over time."""

    def __init__(self, window_s: float, steps: Steps) -> None:
        self.window_s = window_s
        self.steps = steps
        self._admitted: dict[str, deque[float]] = defaultdict(deque)

    def limit(self, now: float) -> float:
        return [limit for at, limit in self.steps if at <= now][-1]

    def wait_s(self, key: str, now: float) -> float:
        """Return the seconds until a call is admitted."""
        inside = self._admitted[key]
        while inside and inside[0] <= now - self.window_s:
            inside.popleft()
        over = len(inside) - int(self.limit(now))
        return inside[over] + self.window_s - now if over >= 0 else 0.0

    def admit(self, key: str, now: float) -> None:
        self._admitted[key].append(now)

    def best(self, start: float, end: float) -> float:
        """Return the most calls it admits between two moments."""
        edges = [at for at, _ in self.steps if start < at < end]
        spans = zip([start, *edges], [*edges, end], strict=True)
        return sum(self.limit(a) * (b - a) / self.window_s for a, b in spans)


class Server:
    """Answers after a delay; records the time, the customer and whether it refused."""

    def __init__(
        self, clock: Callable[[], float], *, partner: Hidden, customer: Hidden | None = None
    ) -> None:
        self._clock = clock
        self._partner = partner
        self._customer = customer
        self.answers: list[tuple[float, str, bool]] = []

    async def ask(self, name: str) -> int:
        """Return the seconds of `Retry-After`, 0 if the call is answered."""
        await asyncio.sleep(0.1)
        now = self._clock()
        gates = [(self._partner, "")] + ([(self._customer, name)] if self._customer else [])
        wait_s = max(gate.wait_s(key, now) for gate, key in gates)
        if wait_s <= 0:
            for gate, key in gates:
                gate.admit(key, now)
        self.answers.append((now, name, wait_s <= 0))
        await asyncio.sleep(0.1)
        return max(1, math.ceil(wait_s)) if wait_s > 0 else 0

    def between(self, start: float, end: float, name: str = "") -> tuple[int, int]:
        """Return the number of answered calls and of refused calls."""
        answered = [
            ok for at, who, ok in self.answers if start <= at < end and (not name or who == name)
        ]
        return sum(answered), len(answered) - sum(answered)


async def keep_asking(
    pacer: Pacer, server: Server, names: Iterable[str], *, each: int, seconds: float
) -> None:
    """Send calls of every customer for `seconds`, `each` at a time."""

    async def one(name: str) -> None:
        while True:
            async with pacer.slot("inventory", name) as turn:
                if wait_s := await server.ask(name):
                    turn.throttled(wait_s)

    tasks = [asyncio.create_task(one(name)) for name in names for _ in range(each)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
