"""Replaces a file atomically: the new one is written under a temporary name, then renamed.

Every file that another process may read while it is rewritten is written here, so one module knows
the temporary names and removes leftovers. The writer holds a lock (`flock`) on its temporary file.
The kernel frees the lock when the process ends, so a temporary file without a lock was left by a
writer that was killed. The next writer of the same file removes it; so does a run that resumes,
prunes or publishes. Nobody reads a temporary file.
"""

import fcntl
import itertools
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TEMPORARY = re.compile(r"\.(?P<target>.+)\.\d+(-\d+)?\.new", re.DOTALL)
_DUCKDB_LOG = ".wal"
"""DuckDB writes changes first to a file beside the database, whose name ends in this."""


class AtomicFile:
    """A temporary file that `commit` renames to its target."""

    def __init__(self, target: Path, temporary: Path, handle: int) -> None:
        self.temporary = temporary
        self.handle = handle
        self._target = target

    def write(self, data: bytes | memoryview) -> None:
        """Append all of `data`."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self.handle, rest) :]

    def commit(self) -> None:
        """Replace the target: readers, and a power cut, find the old file or the new one."""
        os.fsync(self.handle)
        self.temporary.replace(self._target)
        with suppress(OSError):  # readers may want to lock the file under its final name
            fcntl.flock(self.handle, fcntl.LOCK_UN)
        sync_folder(self._target.parent)


@contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[AtomicFile]:
    """Open a temporary file for `path`; without `commit` it is removed at the end.

    Leftovers of killed writers of `path` are removed first.
    """
    remove_leftovers(path)
    temporary, handle = _create(path, mode)
    try:
        yield AtomicFile(path, temporary, handle)
    finally:
        with suppress(OSError):  # the next writer removes what cannot be removed now
            _remove(temporary, handle)
        os.close(handle)


def temporary_name(path: Path, number: int = 0) -> Path:
    """Return this process's temporary name for `path`; `number` makes several distinct."""
    suffix = f"-{number}" if number else ""
    return path.with_name(f".{path.name}.{os.getpid()}{suffix}.new")


def remove_leftovers(path: Path) -> None:
    """Remove what killed writers of `path` left beside it."""
    _remove_leftovers(path.parent, target=path.name)


def remove_leftovers_in(folder: Path) -> None:
    """Remove what killed writers of any file in a folder left there."""
    _remove_leftovers(folder)


def _remove_leftovers(folder: Path, target: str = "") -> None:
    with suppress(OSError):  # a missing folder holds none
        for name in os.listdir(folder):  # noqa: PTH208 - a store holds thousands, most are no match
            found = _TEMPORARY.fullmatch(name)
            if found is not None and target in ("", found["target"]):
                with suppress(OSError):  # another user's, or on a file system without locks
                    _remove_unlocked(folder / name)


def _remove_unlocked(temporary: Path) -> None:
    """Remove a temporary file unless its writer is still at work."""
    if temporary.is_symlink():  # somebody made a link here: never remove its target
        temporary.unlink()
        return
    handle = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(temporary, handle)
    finally:
        os.close(handle)


def _remove(temporary: Path, handle: int) -> None:
    """Remove a file if its name still belongs to the file behind `handle`."""
    if os.path.samestat(os.fstat(handle), temporary.lstat()):
        temporary.unlink()
        temporary.with_name(f"{temporary.name}{_DUCKDB_LOG}").unlink(missing_ok=True)


def _create(path: Path, mode: int) -> tuple[Path, int]:
    for number in itertools.count():
        temporary = temporary_name(path, number)
        try:
            handle = os.open(
                temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode
            )
        except FileExistsError:
            try:
                is_regular = stat.S_ISREG(temporary.lstat().st_mode)
            except FileNotFoundError:
                continue  # its writer has just finished
            if not is_regular and not temporary.is_file():
                raise
            continue  # a process in another container may have the same process id
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), temporary.lstat()):
                return temporary, handle
        except (BlockingIOError, FileNotFoundError):
            pass  # another process took it for a leftover before it was locked, and removes it
        except OSError:
            return temporary, handle  # a file system without locks: nobody removes leftovers there
        os.close(handle)
    raise AssertionError  # there is always another number


def sync_folder(folder: Path) -> None:
    """Make the names inside a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
