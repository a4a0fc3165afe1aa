"""Folders for the files that only one process needs, while it works on a part of a run."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from auditor.disk import refused


@contextmanager
def scratch(state_dir: Path) -> Iterator[Path]:
    """Make a folder in `state_dir` that only this process uses, and remove it at the end.

    Folders of killed processes are removed first: the kernel has freed their locks.

    Raises:
        StoreUnwritable, StoreFailed: `state_dir` cannot be written to.
    """
    parts = state_dir / "parts"
    try:
        parts.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(parts):
            for leftover in parts.iterdir():
                _remove_unlocked(leftover)
            folder = Path(tempfile.mkdtemp(dir=parts))
            handle = _lock(folder)
    except OSError as exc:
        raise refused(f"state_dir: {parts} cannot be written", exc) from exc
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _lock(folder: Path) -> int:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _remove_unlocked(folder: Path) -> None:
    with suppress(OSError):  # another process works in it
        handle = _lock(folder)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)
