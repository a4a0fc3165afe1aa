"""Customers as they are found: others may be looked at while the last ones are awaited."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Self

from auditor.scope.found import CustomerFound


class Arrivals:
    """Takes in the customers that a discovery yields, in the background."""

    def __init__(
        self,
        source: AsyncGenerator[CustomerFound | None],
        expected: int,
        step: Callable[[CustomerFound], None],
    ) -> None:
        """Take what yields the customers, None for those out of scope, and how many that will be.

        `step` hears of each.
        """
        self._source = source
        self._step = step
        self._missing = expected
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.found: list[CustomerFound] = []
        """Those found so far and not taken."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._take_in())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def until(self, missing: int) -> None:
        """Wait until no more than so many are missing."""
        while self._task is not None and not self._task.done() and self._missing > missing:
            self._news.clear()
            await self._news.wait()
        if self._task is not None and self._task.done():
            self._task.result()

    def take(self) -> list[CustomerFound]:
        """Return whoever is there, each customer once."""
        taken, self.found = self.found, []
        return taken

    async def _take_in(self) -> None:
        try:
            async with aclosing(self._source) as source:
                async for found in source:
                    self._missing -= 1
                    if found is not None:
                        self.found.append(found)
                        self._step(found)
                    self._news.set()
        finally:
            self._news.set()
