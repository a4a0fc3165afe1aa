"""Writes files that survive a power cut, and turns errors of disks into `StoreError`."""

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from auditor import atomic_file
from auditor.errors import AuditorError, StoreFailed, StoreUnwritable

_UNWRITABLE = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENOENT,
    errno.ELOOP,
    errno.ENAMETOOLONG,
}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}
_MODE = 0o666
"""Mode of new files: the caller's umask decides who else may read a store."""
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2


@contextmanager
def guarded(path: Path, *, need: int = 0) -> Iterator[None]:
    """Turn an OSError in the block into a StoreError that names `path`.

    TimeoutError and BrokenPipeError pass through: they are OSErrors, but not about the path.
    """
    try:
        yield
    except (TimeoutError, BrokenPipeError):
        raise
    except OSError as error:
        raise _explained(error, path, need) from error


def _explained(error: OSError, path: Path, need: int) -> AuditorError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in _FULL:
        have = _free(path)
        needed = f"need {need} bytes, " if need else ""
        return StoreFailed(
            f"cannot write {path}: {reason} ({needed}have {have})",
            hint="free space there, then run again with --resume",
        )
    if error.errno in _UNWRITABLE:
        return StoreUnwritable(
            f"cannot write {path}: {reason}", hint="choose a folder that this user can write to"
        )
    return StoreFailed(
        f"cannot use {path}: {reason}", hint="check the disk, then run again with --resume"
    )


def _free(path: Path) -> int:
    """Return the free bytes on the disk of `path`; 0 if unknown."""
    for folder in (path, *path.parents):
        with suppress(OSError):
            return shutil.disk_usage(folder).free
    return 0


def try_to_write(folder: Path) -> None:
    """Raise the error that writing into a folder would raise; leave no file there."""
    nameless = getattr(os, "O_TMPFILE", 0)
    if not nameless:
        return
    with guarded(folder):
        try:
            os.close(os.open(folder, nameless | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        except OSError as error:
            if error.errno not in {errno.EISDIR, *_UNSUPPORTED}:  # a network file system
                raise


def sync_folder(folder: Path) -> None:
    """Make the names inside `folder` survive a power cut."""
    with guarded(folder):
        atomic_file.sync_folder(folder)


def write_new(path: Path, data: bytes | memoryview) -> None:
    """Write and fsync a new file; it is an error if it exists."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with guarded(path, need=len(data)):
        handle = os.open(path, flags, _MODE)
        with open(handle, "wb", buffering=0) as stream:  # noqa: PTH123 - O_EXCL, O_NOFOLLOW
            rest = memoryview(data)
            while rest:
                rest = rest[stream.write(rest) :]
            os.fsync(handle)


def replace(path: Path, data: bytes | memoryview) -> None:
    """Replace the file at `path` atomically: a reader sees the old bytes or the new."""
    with guarded(path, need=len(data)), atomic_file.replacing(path, _MODE) as file:
        file.write(data)
        file.commit()


def put_if_absent(path: Path, data: bytes | memoryview) -> bool:
    """Make a file with `data` unless it exists, and return whether it was made.

    Of two writers at once, the first one's stays.
    """
    is_made = True
    with guarded(path, need=len(data)), atomic_file.replacing(path, _MODE) as file:
        file.write(data)
        os.fsync(file.handle)
        try:
            path.hardlink_to(file.temporary)
        except FileExistsError:
            is_made = False
        except OSError as error:
            if error.errno not in {errno.EPERM, *_UNSUPPORTED}:
                raise
            file.commit()  # a file system without links, unlikely to be shared
    sync_folder(path.parent)
    return is_made


def rename_new(source: Path, target: Path) -> None:
    """Rename a folder atomically; it is an error if the target exists.

    A plain rename silently replaces an empty folder. If the kernel or the file system has no
    no-replace rename, `mkdir` of the target comes first and fails if it exists. A kill between the
    two steps leaves an empty folder, which readers skip and `recover` removes.
    """
    with guarded(target):
        if sys.platform == "linux" and _renamed(source, target, _RENAME_NOREPLACE):
            return
        target.mkdir()
        source.rename(target)


def exchange(one: Path, other: Path, aside: Path) -> None:
    """Let two folders change places, atomically: both names exist at every moment.

    If the kernel or the file system cannot do that, `other` is renamed to `aside` first. A kill
    between the two steps then leaves `one` and `aside` for the caller to go on with.
    """
    with guarded(other):
        if sys.platform == "linux" and _renamed(one, other, _RENAME_EXCHANGE):
            return
        other.rename(aside)
        one.rename(other)


def _renamed(source: Path, target: Path, how: int) -> bool:
    """Rename in a way of renameat2; return False if the kernel or the file system lacks it."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    old, new = os.fsencode(source), os.fsencode(target)
    if call(_AT_FDCWD, old, _AT_FDCWD, new, how) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(target))


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file that is never altered a second name; copy it where there are no links."""
    with guarded(target):
        try:
            target.hardlink_to(source)
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.EMLINK, *_UNSUPPORTED}:
                raise
        else:
            return
        data = source.read_bytes()
    write_new(target, data)


def private(path: str, flags: int) -> int:
    """Open a file that only this user may read; a symbolic link is not followed."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def refused(what: str, exc: OSError) -> StoreUnwritable | StoreFailed:
    """Return the error for a `state_dir` that cannot be written to."""
    if exc.errno in _UNWRITABLE:
        return StoreUnwritable(
            f"{what}: {exc.strerror}", hint="make state_dir a folder that this user may write to"
        )
    return StoreFailed(
        f"{what}: {exc.strerror}", hint="check the disk, then run again with --resume"
    )
