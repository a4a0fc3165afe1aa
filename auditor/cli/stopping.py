"""How the process ends: signals that let it clean up first, and the exit status of each end."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Self, TypeVar

from auditor.errors import as_auditor_error, leaves

T = TypeVar("T")

_GRACE_PERIOD_S = 15.0
"""Cleaning up after a signal may take this long; by then the journal is certainly on disk."""


class Stopped(BaseException):
    """A signal ends the process. Not an Exception, so that no `except Exception` catches it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_status = _status_of(signum)


class Stopper:
    """Raises `Stopped` on the first signal, or cancels the work that `wait` is running.

    A second signal ends the process at once. Signals that the parent ignores (`nohup`) stay
    ignored.
    """

    def __init__(self) -> None:
        self._signum = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[object] | None = None
        self._previous: dict[int, Any] = {}  # handlers as `signal.signal` returns them
        self._timer: threading.Timer | None = None
        self._is_finishing = False
        self.before_forced_exit: Callable[[int], None] = lambda _: None
        """Called with the exit status when the process ends at once, without cleaning up."""

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM", "SIGHUP"):
                signum = getattr(signal, name, None)  # Windows has no SIGHUP
                if signum is not None and signal.getsignal(signum) is not signal.SIG_IGN:
                    self._previous[signum] = signal.signal(signum, self._on_signal)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what the work returns; after a signal, let it clean up, then raise `Stopped`."""
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

    def let_finish(self) -> None:
        """Let the process finish: a signal from now on ends it only after the grace period."""
        self._is_finishing = True

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        if self._is_finishing:
            self._start_grace_period(signum)
            return
        if self._signum:
            self._end_at_once(signum)
        self._signum = signum
        if self._task is None or self._loop is None:
            raise Stopped(signum)
        self._start_grace_period(signum)
        self._loop.call_soon_threadsafe(self._task.cancel)

    def _start_grace_period(self, signum: int) -> None:
        if self._timer is None:
            self._timer = threading.Timer(_GRACE_PERIOD_S, self._end_at_once, [signum])
            self._timer.daemon = True
            self._timer.start()

    def _end_at_once(self, signum: int) -> None:
        status = _status_of(signum)
        try:
            self.before_forced_exit(status)
        finally:
            os._exit(status)


def exit_status_of(error: BaseException) -> int:
    """Return the exit status for an error."""
    match error:
        case Stopped():
            return error.exit_status
        case KeyboardInterrupt():
            return _status_of(signal.SIGINT)
        case _:
            return as_auditor_error(next(leaves(error))).exit_status


def _status_of(signum: int) -> int:
    return 130 if signum == signal.SIGINT else 143
