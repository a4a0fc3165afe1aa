"""A server in its own thread and event loop, for runs in other processes."""

import asyncio
import threading
from types import TracebackType
from typing import Self


class ServerThread:
    """Serves while its context is open."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._is_up = threading.Event()
        self._done = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._is_up.wait(30)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(30)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        """Set `_is_up`, then serve until `_done` is set."""
        raise NotImplementedError
