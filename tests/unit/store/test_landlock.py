"""Landlock: one thread of the process loses the right to write; the others keep it."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from auditor.store import landlock
from tests.builders import report_lake

pytestmark = pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")


def do_nothing() -> None:
    """Do nothing when the caller is interrupted."""


def test_the_thread_can_read_everything_and_write_in_one_folder(tmp_path: Path) -> None:
    spill, kept = tmp_path / "spill", tmp_path / "kept"
    spill.mkdir()
    kept.mkdir()
    (kept / "file").write_text("as it was")
    changes: list[Callable[[], object]] = [
        lambda: (kept / "file").write_text("changed"),
        lambda: os.truncate(kept / "file", 0),
        (kept / "new").touch,
        (kept / "new").mkdir,
        lambda: (kept / "new").symlink_to("file"),
        lambda: os.mkfifo(kept / "new"),
        (kept / "file").unlink,
        lambda: (kept / "file").rename(kept / "new"),
        lambda: (kept / "file").rename(spill / "new"),
        lambda: (spill / "own").rename(kept / "new"),
        lambda: os.link(kept / "file", spill / "new"),
        kept.rmdir,
    ]

    def work() -> str:
        (spill / "own").write_text("mine")
        for change in changes:
            with pytest.raises(OSError, match=r"denied|cross-device"):
                change()
        return (kept / "file").read_text()

    assert landlock.run(work, str(spill), do_nothing) == "as it was"
    assert [path.name for path in kept.iterdir()] == ["file"]
    (kept / "file").write_text("the process itself can")


def test_without_a_folder_the_thread_can_write_nowhere(tmp_path: Path) -> None:
    with pytest.raises(PermissionError):
        landlock.run((tmp_path / "new").touch, "", do_nothing)


def test_a_thread_that_the_restricted_thread_starts_cannot_write(tmp_path: Path) -> None:
    failures: list[OSError] = []

    def write() -> None:
        try:
            (tmp_path / "new").touch()
        except OSError as error:
            failures.append(error)

    def work() -> None:
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()

    landlock.run(work, "", do_nothing)
    assert len(failures) == 1


def restricted_threads() -> set[str]:
    """Return the threads of this process that have lost rights."""
    status = Path("/proc/self/task").glob("*/status")
    found = set()
    for path in status:
        with suppress(OSError):  # the thread has ended since
            if "NoNewPrivs:\t1" in path.read_text():
                found.add(path.parent.name)
    return found


def test_sql_leaves_no_restricted_thread(tmp_path: Path) -> None:
    """Arrow keeps its threads. One that the restricted thread had started could never write."""
    lake = report_lake.two_nights(tmp_path)
    before = restricted_threads()
    lake.sql("SELECT * FROM latest_inventory ORDER BY ALL")
    tries = 10_000  # a joined thread may still be in the list for a moment
    assert any(restricted_threads() <= before for _ in range(tries))
    table = pa.table({"n": range(1_000_000)})
    pc.sort_indices(table, [("n", "descending")])
    pq.write_to_dataset(table, tmp_path / "written")
    assert pq.read_table(tmp_path / "written").num_rows == table.num_rows


def test_an_interrupted_caller_stops_the_work() -> None:
    """The exception of the signal handler is raised after the work has ended."""
    ended: list[bool] = []
    interrupted = threading.Event()

    def handle(*_: object) -> None:
        raise Interrupted

    def work() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        ended.append(interrupted.wait(60))

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with pytest.raises(Interrupted):
            landlock.run(work, "", interrupted.set)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert ended == [True]


class Interrupted(BaseException):
    """The exception that the handler raises."""
