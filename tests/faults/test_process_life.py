"""Signals, full or read-only disks, few open files, time zones: named errors, resumable runs."""

import os
import random
import re
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from auditor.store.folder.store import FolderStore
from tests.builders import comparing
from tests.builders.killing import Prepared, exit_problems, signal_and_resume, words

RUN = ("run", "--format", "json")


@pytest.mark.parametrize("seed", range(6))
def test_a_run_that_a_signal_ended_is_resumed(case: Prepared, seed: int, tmp_path: Path) -> None:
    """P29, P33, fault 30: a third of the seeds send a second signal."""
    assert signal_and_resume(case, seed, tmp_path / "signalled") == []


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Mount a small tmpfs over a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tried = subprocess.run(
        ["mount", "-t", "tmpfs", *options, "none", str(folder)], check=False, capture_output=True
    )
    if tried.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("room", [8, 80, 160, 400])
def test_a_full_disk_is_74_and_the_store_is_complete(
    case: Prepared, room: int, tmp_path: Path
) -> None:
    """P16, P30, fault 4: `room` KiB are left; resumed with more room, it equals the golden run."""
    folder = tmp_path / "disk"
    with mounted(folder, "-o", "size=64m"):
        case.fresh(folder, is_mounted=True)
        fill = folder / "fill"
        size = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        with fill.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size - room * 1024)
        ended = case.launcher.run(folder, *RUN)
        assert exit_problems(ended, {3, 74}) == []  # 3 if there was room for one of the partners
        assert "No space left on device" in ended.err
        assert case.harmed(folder) == []
        assert comparing.partials(FolderStore.open(str(folder / "lake"))) == []
        fill.unlink()
        again = case.launcher.run(folder, *words(case, folder, random.Random(room)), *RUN[1:])  # noqa: S311
        assert exit_problems(again, {0}) == []
        assert case.problems(folder, kills=1) == []


@pytest.mark.parametrize("where", ["lake", "state"])
def test_a_read_only_disk_is_reported_before_any_call(
    case: Prepared, where: str, tmp_path: Path
) -> None:
    """P30, fault 6."""
    folder = case.fresh(tmp_path / "run")
    place = folder / where
    mount = ["mount", "--bind", str(place), str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may make a folder read-only for itself")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(place)], check=True)
        ended = case.launcher.run(folder, *RUN)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
    assert exit_problems(ended, {73}) == []
    assert re.search(rf"error\[E_\w+\]: .*{where}.*Read-only file system", ended.err)
    assert case.serving.calls == 0


@pytest.mark.parametrize("files", [64, 40, 24])
def test_few_open_files_are_enough_or_reported(case: Prepared, files: int, tmp_path: Path) -> None:
    """P30, fault 32: a run that had too few is resumed with more."""
    folder = case.fresh(tmp_path / "few")
    ended = case.launcher.start(folder, *RUN, files=files).wait()
    assert exit_problems(ended, {0, 3, 74}) == []
    assert (ended.status == 0) == ("too many open files" not in ended.err.lower())
    if ended.status:
        again = case.launcher.run(folder, *words(case, folder, random.Random(files)), *RUN[1:])  # noqa: S311
        assert exit_problems(again, {0}) == []
    assert case.problems(folder, kills=1) == []


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe"])
def test_the_local_time_zone_changes_nothing(case: Prepared, zone: str, tmp_path: Path) -> None:
    """P32, fault 29: run ids and stored instants are UTC."""
    folder = case.fresh(tmp_path / "zone")
    before = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    assert exit_problems(case.launcher.start(folder, *RUN, environ={"TZ": zone}).wait(), {0}) == []
    run_id, _ = case.newest_run(folder) or ("", False)
    assert before <= run_id < time.strftime("%Y%m%dT%H%M%SZ~", time.gmtime())
    assert case.problems(folder, kills=0) == []


def test_a_run_killed_for_its_memory_is_resumed(case: Prepared, tmp_path: Path) -> None:
    """P11, fault 31: however the run ends for lack of memory, it can be resumed."""
    folder = case.fresh(tmp_path / "memory")
    started = case.launcher.start(folder, *RUN)
    used = int(Path(f"/proc/{started.pid}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(started.pid, resource.RLIMIT_AS, (used + 2**22, used + 2**22))
    ended = started.wait()
    assert ended.status != 0
    assert "Traceback" not in ended.err
    assert comparing.partials(FolderStore.open(str(folder / "lake"))) == []
    again = case.launcher.run(folder, *words(case, folder, random.Random(1)), *RUN[1:])  # noqa: S311
    assert exit_problems(again, {0}) == []
    assert case.problems(folder, kills=1) == []


def test_a_second_full_run_is_75_and_harms_nothing(case: Prepared, tmp_path: Path) -> None:
    """P14, fault 11: a new run and a resumed one are refused; the first equals the golden run."""
    folder = case.fresh(tmp_path / "first")
    others = []
    for number in range(2):
        other = tmp_path / f"other{number}"
        other.mkdir()
        text = (folder / "auditor.toml").read_text()
        text = text.replace("./lake", str(folder / "lake"))
        (other / "auditor.toml").write_text(text.replace("./state", str(folder / "state")))
        others.append(other)
    started = case.launcher.start(folder, *RUN)
    while not case.serving.calls:
        time.sleep(0.001)
    started.kill(signal.SIGSTOP)
    for other, how in zip(others, ([], ["--resume"]), strict=True):
        ended = case.launcher.run(other, *RUN, *how)
        assert exit_problems(ended, {75}) == []
        assert f"pid {started.pid}" in ended.err
    started.kill(signal.SIGCONT)
    assert exit_problems(started.wait(), {0}) == []
    assert case.problems(folder, kills=0) == []
