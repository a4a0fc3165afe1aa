"""One quota for all processes on a machine: a file that says when the next call may start.

A permit is a moment on a common time line: it does not matter which process takes it, or whether
that process is still alive (docs/decisions/0008).
"""

import asyncio
import fcntl
import hashlib
import os
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from auditor.partner_center.pacing.rates import MINUTE_S, window

SLICE_S = 0.1
LATE_S = 0.2
"""A permit may be used this long after its moment. A minute's permits are spread over a minute plus
this time, so that no minute holds too many calls, however late they start."""
FARTHEST_S = 600.0
"""A moment farther ahead was written before the machine restarted and its clock began at 0."""
LOCK_TRIES = 100
LOCK_PAUSE_S = 0.005
_MOMENT = struct.Struct("<d")


class Unshareable(OSError):
    """No folder belongs to this user alone, so processes cannot share a quota."""


class Quota(Protocol):
    """A limit on the calls that several processes start together."""

    async def take(self) -> None:
        """Wait until one more call may start."""


class LocalQuota:
    """A quota of all processes of this user on this machine.

    `clock` must show the same time in all processes and never be set: the monotonic clock.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        per_minute: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`own_folder` makes `folder`; `name` names the quota in it."""
        self._path = folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.next"
        self._calls, period = window(per_minute, SLICE_S)
        self._step_s = period * (1 + LATE_S / MINUTE_S)
        self._clock = clock
        self._sleep = sleep
        self._left = 0
        self._good_until = 0.0

    async def take(self) -> None:
        """Wait until one more call may start."""
        while not self._left or self._clock() > self._good_until:
            at = await self._reserve()
            if (wait_s := at - self._clock()) > 0:
                await self._sleep(wait_s)
            self._left, self._good_until = self._calls, at + LATE_S
        self._left -= 1

    async def _reserve(self) -> float:
        """Take the next free moment on the time line."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            for _ in range(LOCK_TRIES):
                with suppress(BlockingIOError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                await self._sleep(LOCK_PAUSE_S)
            # Go on without the lock: a process that was stopped while it held it must not stop
            # the others.
            now = self._clock()
            at = max(now - LATE_S / 2, _moment(os.pread(file, _MOMENT.size, 0), now))
            os.pwrite(file, _MOMENT.pack(at + self._step_s), 0)
            return at
        finally:
            os.close(file)


def _moment(written: bytes, now: float) -> float:
    """Return the next free moment; now, if the file holds no plausible one."""
    at = float(_MOMENT.unpack(written)[0]) if len(written) == _MOMENT.size else now
    return at if at < now + FARTHEST_S else now


def own_folder(path: Path) -> Path:
    """Make the folder if it is missing, and return it if no other user can write there.

    Raises:
        Unshareable: it is a link, belongs to another user, or cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            found = os.fstat(handle)
            if found.st_uid != os.geteuid():
                raise Unshareable(f"{path} belongs to another user")
            os.fchmod(handle, 0o700)
        finally:
            os.close(handle)
    except Unshareable:
        raise
    except OSError as exc:
        raise Unshareable(f"{path}: {exc.strerror}") from exc
    return path
