"""Holds the publish lock of a folder store. The kernel frees the lock when the process ends."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from auditor.disk import guarded
from auditor.errors import Locked

_POLL_S = 0.05


@contextmanager
def publish_lock(
    path: Path,
    timeout_s: float,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold the lock file at `path`. Raise Locked (exit status 75) after waiting `timeout_s`."""
    give_up_at = clock() + timeout_s
    while (handle := _try_lock(path)) is None:
        if clock() >= give_up_at:
            raise Locked(
                f"another publisher holds {path} (waited {timeout_s:g} s)",
                hint="try again when it has finished, with --resume",
            )
        pause(_POLL_S)
    try:
        yield
    finally:
        os.close(handle)


def _try_lock(path: Path) -> int | None:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with guarded(path):
        handle = os.open(path, flags, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), path.lstat()):
                return handle
        except (BlockingIOError, FileNotFoundError):
            pass  # another process holds the lock, or the file was removed meanwhile
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        return None
