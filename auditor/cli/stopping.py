"""How the process ends: signals that stop it with care, and the exit status of every ending."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

from auditor.errors import as_auditor_error, leaves

T = TypeVar("T")

_PATIENCE_S = 15.0
"""How long stopping with care may take. The journal is on disk by then, whatever still hangs."""


class Stopped(BaseException):
    """A signal asked the process to end. Not an Exception, so that nothing swallows it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_status = _status_of(signum)


class Stopper:
    """Turns the first signal into `Stopped`, or into the cancelling of the work that is waited for.

    A second signal ends the process at once. What the parent ignores (`nohup`) stays ignored.
    """

    def __init__(self) -> None:
        self._signum = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[object] | None = None
        self._before: dict[int, Any] = {}  # whatever `signal.signal` returned, to be given back
        self._timer: threading.Timer | None = None
        self._is_ending = False
        self.last_words: Callable[[int], None] = lambda _: None
        """Is called with the exit status right before the process ends without cleaning up."""

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM", "SIGHUP"):
                signum = getattr(signal, name, None)  # Windows has no SIGHUP
                if signum is not None and signal.getsignal(signum) is not signal.SIG_IGN:
                    self._before[signum] = signal.signal(signum, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run work to its end. A signal cancels it: it cleans up, and `Stopped` comes out."""
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            task = self._loop.create_task(work)
            self._task = task
            try:
                return self._loop.run_until_complete(task)
            except asyncio.CancelledError:
                if self._signum:
                    raise Stopped(self._signum) from None
                raise
            finally:
                self._task = None

    def let_end(self) -> None:
        """Let the process end by itself from now on: a signal no longer stops what is left to do.

        What takes longer than the patience is ended all the same.
        """
        self._is_ending = True

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        if self._is_ending:
            self._lose_patience_later(signum)
            return
        if self._signum:
            self._end_at_once(signum)
        self._signum = signum
        if self._task is None or self._loop is None:
            raise Stopped(signum)
        self._lose_patience_later(signum)
        self._loop.call_soon_threadsafe(self._task.cancel)

    def _lose_patience_later(self, signum: int) -> None:
        if self._timer is None:
            self._timer = threading.Timer(_PATIENCE_S, self._end_at_once, [signum])
            self._timer.daemon = True
            self._timer.start()

    def _end_at_once(self, signum: int) -> None:
        status = _status_of(signum)
        try:
            self.last_words(status)
        finally:
            os._exit(status)


def exit_status_of(error: BaseException) -> int:
    """Return the exit status that an error ends the process with."""
    match error:
        case Stopped():
            return error.exit_status
        case KeyboardInterrupt():
            return _status_of(signal.SIGINT)
        case _:
            return as_auditor_error(next(leaves(error))).exit_status


def _status_of(signum: int) -> int:
    return 130 if signum == signal.SIGINT else 143
