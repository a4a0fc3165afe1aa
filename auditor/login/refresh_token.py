"""A secret that is replaced by a newer one each time it is used: a refresh token.

The newer one is on disk before anybody uses what came with it, and room for it is made before the
older one is spent. Of several processes one at a time holds the secret, and each reads it anew.
"""

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from auditor import atomic_file
from auditor.atomic_file import AtomicFile
from auditor.errors import AuditorError, Locked, StoreFailed, StoreUnwritable
from auditor.secret import Secret
from auditor.settings.secret_references import opened, read_opened

_ROOM = 1 << 14
"""Bytes kept free for the newer one; a refresh token has one or two thousand."""
_POLL_S = 0.05
_PATIENCE_S = 120.0
"""Longer than another process can take to renew it."""
_DISK_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})


class Renewable(Protocol):
    """A secret, and the place of its successor."""

    secret: Secret

    def replace(self, newer: Secret) -> None:
        """Put the newer one in its place, for good."""


class RenewableFile:
    """A secret in a file, while it is held."""

    def __init__(self, path: Path, secret: Secret, successor: AtomicFile) -> None:
        self.secret = secret
        self._path = path
        self._successor = successor

    def replace(self, newer: Secret) -> None:
        """Replace the file at once: a reader, or a power cut, finds the old one or the new."""
        content = (newer.reveal() + "\n").encode()
        with _guarded(self._path):
            _write(self._successor.handle, content)
            os.ftruncate(self._successor.handle, len(content))
            self._successor.commit()
        self.secret = newer


@contextmanager
def renewable_file(
    path: Path,
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[RenewableFile]:
    """Hold the secret in a file, a link's target, alone among all processes.

    Raises:
        SettingsError: the file cannot be read, or can be by others.
        StoreUnwritable, StoreFailed: its successor could not be written; the secret is unspent.
        Locked: another process has not let go of it.
    """
    target = path.resolve()
    handle = _locked(path, target, clock, pause)
    try:
        secret = read_opened(handle, path)
        with _room(target, os.fstat(handle)) as successor:
            yield RenewableFile(target, secret, successor)
    finally:
        os.close(handle)


def _locked(
    path: Path, target: Path, clock: Callable[[], float], pause: Callable[[float], None]
) -> int:
    give_up_at = clock() + _PATIENCE_S
    while True:
        handle = opened(path)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # It may have been replaced between opening and locking: then this is the old one.
            if os.path.samestat(os.fstat(handle), target.stat()):
                return handle
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if clock() >= give_up_at:
            raise Locked(f"another process holds the refresh token file {path}")
        pause(_POLL_S)


@contextmanager
def _room(target: Path, found: os.stat_result) -> Iterator[AtomicFile]:
    """Make the successor of a file, with room for what is to be written into it."""
    with ExitStack() as held:
        with _guarded(target):
            successor = held.enter_context(atomic_file.replacing(target))
            os.fchmod(successor.handle, 0o600)
            with suppress(PermissionError):  # only root gives files away
                os.fchown(successor.handle, found.st_uid, found.st_gid)
            _write(successor.handle, bytes(_ROOM))
            os.fsync(successor.handle)
        yield successor


def _write(handle: int, content: bytes) -> None:
    done = 0
    while done < len(content):
        done += os.pwrite(handle, content[done:], done)


@contextmanager
def _guarded(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise _unwritable(path, exc) from exc


def _unwritable(path: Path, exc: OSError) -> AuditorError:
    kind = StoreFailed if exc.errno in _DISK_FAULTS else StoreUnwritable
    return kind(
        f"refresh token file {path}: its successor cannot be written: {exc.strerror}",
        hint="a renewed token is written back: its folder must be the auditor's to write",
    )
