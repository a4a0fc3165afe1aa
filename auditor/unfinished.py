"""Files that are replaced at once: written under another name beside their place, then renamed.

Every file that somebody may read while it is rewritten is written here, so one place says what an
unfinished one is called and who removes it. Its writer holds its lock (`flock`), which the kernel
frees when the process ends: an unfinished file that nobody has locked was left by a writer that was
killed. Whoever writes the same file next removes it, and so does whoever resumes or prunes runs,
or publishes. Nobody ever reads one.
"""

import fcntl
import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_UNFINISHED = re.compile(r"\.(?P<of>.+)\.\d+(-\d+)?\.new", re.DOTALL)
_DUCKDB_LOG = ".wal"
"""What DuckDB puts after the name of a database for the changes that are not in it yet."""


class Unfinished:
    """A file on its way; it is removed unless it is put in its place."""

    def __init__(self, path: Path, beside: Path, handle: int) -> None:
        self.beside = beside
        self.handle = handle
        self._path = path

    def write(self, data: bytes | memoryview) -> None:
        """Write all of it, after what was written before."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self.handle, rest) :]

    def put(self) -> None:
        """Put it in its place at once: a reader, or a power cut, finds the old file or the new."""
        os.fsync(self.handle)
        self.beside.replace(self._path)
        with suppress(OSError):  # it may be locked for what it is from now on
            fcntl.flock(self.handle, fcntl.LOCK_UN)
        sync_folder(self._path.parent)


@contextmanager
def beside(path: Path, mode: int = 0o600) -> Iterator[Unfinished]:
    """Open a new file beside `path`, having removed what killed writers of it have left."""
    clear(path)
    place, handle = _made(path, mode)
    try:
        yield Unfinished(path, place, handle)
    finally:
        with suppress(OSError):  # what cannot be removed now is removed by the next writer
            _remove(place, handle)
        os.close(handle)


def name_of(path: Path, number: int = 0) -> Path:
    """Return the name of an unfinished file of this process; `number` tells several apart."""
    more = f"-{number}" if number else ""
    return path.with_name(f".{path.name}.{os.getpid()}{more}.new")


def clear(path: Path) -> None:
    """Remove what killed writers of `path` have left beside it."""
    _clear(path.parent, only=path.name)


def clear_folder(folder: Path) -> None:
    """Remove what killed writers of any file in a folder have left there."""
    _clear(folder)


def _clear(folder: Path, only: str = "") -> None:
    with suppress(OSError):  # a folder that is not there holds none
        for name in os.listdir(folder):  # noqa: PTH208 - a store holds thousands, most are no match
            found = _UNFINISHED.fullmatch(name)
            if found is not None and only in ("", found["of"]):
                with suppress(OSError):  # another user's, or on a file system without locks
                    _remove_left(folder / name)


def _remove_left(place: Path) -> None:
    """Remove an unfinished file unless its writer is at work."""
    if place.is_symlink():  # planted: what it leads to is not ours to remove
        place.unlink()
        return
    handle = os.open(place, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(place, handle)
    finally:
        os.close(handle)


def _remove(place: Path, handle: int) -> None:
    """Remove a file, if its name still is that of the open one."""
    if os.path.samestat(os.fstat(handle), place.lstat()):
        place.unlink()
        place.with_name(f"{place.name}{_DUCKDB_LOG}").unlink(missing_ok=True)


def _made(path: Path, mode: int) -> tuple[Path, int]:
    for number in itertools.count():
        place = name_of(path, number)
        try:
            handle = os.open(
                place, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode
            )
        except FileExistsError:
            if not place.is_file():
                raise
            continue  # in another container a process may have the same number
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), place.lstat()):
                return place, handle
        except (BlockingIOError, FileNotFoundError):
            pass  # somebody who clears up found it before it was locked, and removes it
        except OSError:
            return place, handle  # a file system without locks: nobody else clears up there
        os.close(handle)
    raise AssertionError  # there is always another number


def sync_folder(folder: Path) -> None:
    """Make the names inside a folder survive a power loss."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
