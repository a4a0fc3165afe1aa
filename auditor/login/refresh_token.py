"""A secret that each use replaces by a newer one: a refresh token.

Room on disk for the newer secret is reserved before the older one is used. The newer secret is on
disk before the access token that came with it is used. One process at a time holds the secret, and
each process reads the file anew.
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
"""Bytes reserved for the newer secret; a refresh token has one or two thousand."""
_POLL_S = 0.05
_PATIENCE_S = 120.0
"""How long to wait for the lock: longer than another process needs to renew the secret."""
_DISK_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})


class Renewable(Protocol):
    """A secret that can be replaced by its successor."""

    secret: Secret

    def replace(self, newer: Secret) -> None:
        """Store the newer secret in its place."""


class RenewableFile:
    """A secret in a file that this process has locked."""

    def __init__(self, path: Path, secret: Secret, successor: AtomicFile) -> None:
        self.secret = secret
        self._path = path
        self._successor = successor

    def replace(self, newer: Secret) -> None:
        """Replace the file atomically: a power cut leaves the old file or the new one."""
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
    """Lock the file of a secret, or the target of a link, against all other processes.

    Raises:
        SettingsError: the file cannot be read, or other users can read it.
        StoreUnwritable, StoreFailed: its successor could not be written; the secret is not used up.
        Locked: another process keeps it locked.
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
            # If the file was replaced between opening and locking, this handle is the old one.
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
    """Create the successor of a file, with room for its content."""
    with ExitStack() as held:
        with _guarded(target):
            successor = held.enter_context(atomic_file.replacing(target))
            os.fchmod(successor.handle, 0o600)
            with suppress(PermissionError):  # only root may change the owner
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
        hint="a renewed token is written back: the auditor must be able to write to its folder",
    )
