"""What journals and run headers share: names that survive a power loss, refusals told as ours."""

import errno
import os
from pathlib import Path

from auditor.errors import StoreFailed, StoreUnwritable

_UNWRITABLE = frozenset(
    [errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ELOOP]
)


def private(path: str, flags: int) -> int:
    """Open a file that nobody else may read; a link in its place is not followed."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def sync_folder(folder: Path) -> None:
    """Make the names inside a folder survive a power loss."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refused(what: str, exc: OSError) -> StoreUnwritable | StoreFailed:
    """Return the error for a `state_dir` that does not take what is written to it."""
    if exc.errno in _UNWRITABLE:
        return StoreUnwritable(
            f"{what}: {exc.strerror}", hint="make state_dir a folder that this user may write to"
        )
    return StoreFailed(f"{what}: {exc.strerror}", hint="look at the disk, then --resume")
