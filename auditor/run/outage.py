"""Waits, for a limited time, for a database that is unreachable (promise P31)."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from auditor.concurrency import run_in_thread
from auditor.errors import LockLost, StoreUnreachable
from auditor.progress import Progress

P = ParamSpec("P")
T = TypeVar("T")
_FIRST_S = 0.5
_LONGEST_S = 15.0


class Outage:
    """Retries work on the store, within one limit on the total waiting time of a partner's run."""

    def __init__(self, limit_s: float, partner: str, progress: Progress) -> None:
        self._left_s = limit_s
        self._partner = partner
        self._progress = progress

    async def retry(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do work in a thread; repeat it if the database became unreachable.

        The work must succeed as a whole or change nothing.

        Raises:
            StoreUnreachable: the database stayed unreachable.
            LockLost: each attempt lost its connection, and the publish lock with it.
        """
        wait_s = _FIRST_S
        while True:
            try:
                return await run_in_thread(work, *args, **kwargs)
            except (StoreUnreachable, LockLost) as error:
                if self._left_s <= 0:
                    raise
                self._progress.event(
                    "database.waited_for", partner=self._partner, reason=error.message
                )
            pause_s = min(wait_s, self._left_s)
            await asyncio.sleep(pause_s)
            self._left_s -= pause_s
            wait_s = min(2 * wait_s, _LONGEST_S)
