"""Collects customers while others are still being listed, so that checking can begin early."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Self

from auditor.scope.found import CustomerFound


class Arrivals:
    """Collects the customers that a discovery yields, in the background."""

    def __init__(
        self,
        source: AsyncGenerator[CustomerFound | None],
        expected: int,
        step: Callable[[CustomerFound], None],
    ) -> None:
        """`source` yields `expected` items: a customer, or None for a customer out of scope.

        `step` is called with each customer.
        """
        self._source = source
        self._step = step
        self._missing = expected
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.found: list[CustomerFound] = []
        """The customers that were found and that `take` has not returned yet."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._collect())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def until(self, missing: int) -> None:
        """Wait until at most `missing` items are still to come."""
        while self._task is not None and not self._task.done() and self._missing > missing:
            self._arrived.clear()
            await self._arrived.wait()
        if self._task is not None and self._task.done():
            self._task.result()

    def take(self) -> list[CustomerFound]:
        """Return the customers found since the last call."""
        taken, self.found = self.found, []
        return taken

    async def _collect(self) -> None:
        try:
            async with aclosing(self._source) as source:
                async for found in source:
                    self._missing -= 1
                    if found is not None:
                        self.found.append(found)
                        self._step(found)
                    self._arrived.set()
        finally:
            self._arrived.set()
