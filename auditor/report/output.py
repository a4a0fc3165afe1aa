"""Writes a file that a flag names: `--out`, or `--report` of `run`.

A regular file is replaced as a whole; a device, a pipe or stdout is written to.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from auditor import disk
from auditor.errors import StoreFailed, StoreUnwritable

STDOUT = Path("-")


def save(data: bytes | memoryview, path: Path, stdout: TextIO, *, flag: str = "--out") -> None:
    """Write `data` to `path`, which `flag` names.

    `-` is `stdout`. A link is followed. A regular file is replaced by one rename, so that no reader
    sees half of it; it keeps its mode and owner. A device, a pipe or a socket is written to, never
    replaced: as root, a rename would put a regular file in the place of /dev/stdout.

    Raises StoreUnwritable if `path` cannot be written, StoreFailed if the disk is full or fails,
    BrokenPipeError if the reader has gone away.
    """
    if path == STDOUT:
        stdout.flush()
        stdout.buffer.write(data)
        return
    with _guarded(path, flag):
        _write(data, path, stdout)


def check(path: Path, *, flag: str) -> None:
    """Raise the error that `save` would raise, as far as that is known before it writes."""
    if path == STDOUT:
        return
    with _guarded(path, flag):
        there = _status(path)
        if there is not None and stat.S_ISDIR(there.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if there is None or stat.S_ISREG(there.st_mode):
            disk.try_to_write(Path(os.path.realpath(path)).parent)


@contextmanager
def _guarded(path: Path, flag: str) -> Iterator[None]:
    """Turn an OSError into an error whose hint names the flag."""
    try:
        with disk.guarded(path):
            yield
    except StoreUnwritable as error:
        raise StoreUnwritable(error.message, hint=f"name another file with {flag}") from error
    except StoreFailed as error:
        hint = f"free space there, or name another file with {flag}"
        raise StoreFailed(error.message, hint=hint) from error


def _write(data: bytes | memoryview, path: Path, stdout: TextIO) -> None:
    there = _status(path)
    if there is None:
        _replace(path, data)
    elif (own := _own_descriptor(there)) is not None:
        stdout.flush()
        _write_all(os.dup(own), data)
    elif stat.S_ISREG(there.st_mode):
        target = _replace(path, data)
        with suppress(PermissionError):  # only root gives files away
            os.chown(target, there.st_uid, there.st_gid)
        target.chmod(stat.S_IMODE(there.st_mode))
    else:
        _write_all(os.open(path, os.O_WRONLY | os.O_CLOEXEC), data)


def _status(path: Path) -> os.stat_result | None:
    """Return the status of the file behind a path; None if there is no file yet."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _own_descriptor(there: os.stat_result) -> int | None:
    """Return the descriptor of our stdout or stderr if it is this file, as /dev/stdout is.

    With `--out /dev/stdout >> log`, replacing the file would lose the log's earlier content, and
    later output to stderr would go to the replaced file.
    """
    for descriptor in (1, 2):
        with suppress(OSError):  # it was closed before the start
            if os.path.samestat(there, os.fstat(descriptor)):
                return descriptor
    return None


def _replace(path: Path, data: bytes | memoryview) -> Path:
    """Replace the file behind a path, and return its real path."""
    target = Path(os.path.realpath(path))
    disk.replace(target, data)
    return target


def _write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write everything to a descriptor, and close it."""
    with open(descriptor, "wb", buffering=0) as stream:
        rest = memoryview(data)
        while rest:
            rest = rest[stream.write(rest) :]
