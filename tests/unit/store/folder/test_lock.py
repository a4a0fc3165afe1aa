"""One publisher at a time."""

import errno
import fcntl
import multiprocessing
import os
from pathlib import Path

import pytest

from auditor.errors import Locked, StoreFailed
from auditor.store import open_store
from auditor.store.folder.lock import publish_lock
from tests.builders.store_lake import make


def hold(
    folder: str,
    held: "multiprocessing.synchronize.Event",
    done: "multiprocessing.synchronize.Event",
) -> None:
    with open_store(folder).publishing(0.0):
        held.set()
        done.wait(60)


def test_a_second_publisher_waits_a_bounded_time_and_a_killed_one_frees_the_lock(
    tmp_path: Path,
) -> None:
    """P14."""
    store = make(tmp_path)
    spawn = multiprocessing.get_context("spawn")
    held, done = spawn.Event(), spawn.Event()
    other = spawn.Process(target=hold, args=(str(store.root), held, done))
    other.start()
    assert held.wait(60)
    now = [0.0]
    with (
        pytest.raises(Locked, match="waited 3 s"),
        store.publishing(3.0, lambda: now[0], lambda s: now.__setitem__(0, now[0] + s)),
    ):
        pytest.fail("two publishers at once")
    assert 3.0 <= now[0] < 3.2
    other.kill()
    other.join()
    with store.publishing(0.0) as publication:
        assert publication.sequence == 1


def test_a_lock_file_that_is_removed_while_it_is_locked_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise two publishers hold one file each. Another process may have replaced the file."""
    path = tmp_path / "lock"
    real = fcntl.flock

    def replaced() -> None:
        path.rename(tmp_path / "old")
        path.touch()

    left = [path.unlink, replaced]

    def flock(handle: int, how: int) -> None:
        if left:
            left.pop()()
        real(handle, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    pauses: list[float] = []
    with publish_lock(path, 1.0, lambda: 0.0, pauses.append), path.open() as beside:
        assert len(pauses) == 2
        with pytest.raises(BlockingIOError):
            real(beside, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_disk_without_locks_is_reported_and_no_file_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handles: list[int] = []

    def flock(handle: int, _: int) -> None:
        handles.append(handle)
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StoreFailed, match="lock"), publish_lock(tmp_path / "lock", 1.0):
        pytest.fail("locked")
    [handle] = handles
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)


def test_a_removed_lock_file_locks_nothing(tmp_path: Path) -> None:
    store = make(tmp_path)
    with store.publishing(0.0):
        (store.root / ".publish.lock").unlink()
        with store.publishing(0.0):
            pass
