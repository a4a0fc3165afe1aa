"""Fails or kills a run at each system call that changes a lake or a state folder.

Only the end of a run is tested: its journal is complete, so that it only stages and publishes.
`strace` records the system calls of such a run; each one that changes something is a point.
"""

import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from auditor.sandbox import WorldSize
from auditor.store.folder.store import FolderStore
from tests.builders import comparing
from tests.builders.killing import Prepared, exit_problems
from tests.builders.run_processes import Ended, until

CHANGING = (
    "write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat"
    ",mkdir,mkdirat,rmdir,ftruncate,openat,flock"
)
RECORDING = ("-y", "-e", f"trace={CHANGING}")
HOW = ("signal=KILL", "error=EIO", "error=ENOSPC")
ONE_PARTNER = WorldSize(
    partners=1, customers=6, products=2, regions=2, sizes_per_product=2, licence_products=3
)
PID = "{pid}"
"""Placeholder for the process id in a path."""
_LINE = re.compile(r"(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)")
_HERE = re.compile(r"AT_FDCWD<[^>]*>")
_PATH = re.compile(r'<(/[^<>]+)>|"(/[^"]+)"')


class Point(NamedTuple):
    """The nth time that a system call is made on a path, below the folder of a case."""

    call: str
    path: str
    nth: int


def is_usable() -> bool:
    """Tell whether strace is installed, may trace here and can inject faults."""
    strace = shutil.which("strace")
    if strace is None:
        return False
    tried = subprocess.run(
        [strace, "-f", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO", "true"],
        check=False,
        capture_output=True,
    )
    return tried.returncode == 0


class Publishing:
    """The second night of a prepared case, killed when all is answered and nothing is published.

    Each try starts from a copy of that moment, always at the same path: the path of the store is
    part of the configuration that a run can resume.
    """

    def __init__(self, case: Prepared, folder: Path) -> None:
        self._case = case
        self._ready = folder / "ready"
        self.folder = case.fresh(folder / "tried")
        started = case.launcher.start(self.folder, "run", "--format", "json")
        staging = self.folder / "lake/.staging"
        until(lambda: any(staging.iterdir()), started)
        started.kill()
        assert started.wait().status == -signal.SIGKILL
        newest = case.newest_run(self.folder)
        assert newest == (newest and newest[0], False)
        shutil.copytree(self.folder, self._ready)
        self.points = self._points()

    def _restored(self) -> None:
        shutil.rmtree(self.folder)
        shutil.copytree(self._ready, self.folder)

    def _points(self) -> list[Point]:
        """Return every point of an undisturbed publishing, in order."""
        self._restored()
        pid, ended = self._traced(RECORDING)
        assert ended.status == 0, ended.err
        return recorded(self.folder, pid)

    def signalled(self, point: Point, signum: signal.Signals, *words: str) -> Ended:
        """Resume the run and send the signal at the point's nth system call."""
        self._restored()
        inject = f"inject={point.call}:signal={signum.name}:when={point.nth}"
        options = ["-P", point.path, "-e", f"trace={point.call}", "-e", inject]
        _, ended = self._traced(options, *words)
        (self.folder / "strace").unlink()
        return ended

    def resumed(self, *words: str) -> Ended:
        """Resume the run to its end."""
        return self._case.launcher.run(self.folder, "run", "--resume", "--format", "json", *words)

    def _traced(self, options: Sequence[str], *words: str) -> tuple[int, Ended]:
        """Resume the run under `strace` with these options; return the process id and the end."""
        return traced(
            self._case, self.folder, ("run", "--resume", "--format", "json", *words), options
        )

    def tried(self, point: Point, how: str) -> list[str]:
        """Fail (`error=EIO`) or kill (`signal=KILL`) at a point; return the problems.

        P10, P30: no reader sees a part, the exit status is right, and the resumed run equals the
        golden one.
        """
        self._restored()
        inject = f"inject={point.call}:{how}:when={point.nth}"
        _, ended = self._traced(["-P", point.path, "-e", f"trace={point.call}", "-e", inject])
        is_kill = how.startswith("signal")
        problems = exit_problems(ended, {0, -signal.SIGKILL} if is_kill else {0, 73, 74})
        problems += comparing.partials(FolderStore.open(str(self.folder / "lake")))
        if ended.status != 0:
            run_id, _ = self._case.newest_run(self.folder) or ("", False)
            again = self._case.launcher.run(
                self.folder, "run", "--resume", run_id, "--format", "json"
            )
            problems += exit_problems(again, {0})
        (self.folder / "strace").unlink()
        wrong = self._case.problems(self.folder, kills=1)
        if not is_kill:  # a failed unlink leaves its file behind
            wrong = [problem for problem in wrong if not problem.startswith("left over")]
        problems += wrong
        where = f"{point.call} {point.nth} of {point.path.removeprefix(str(self.folder))}"
        return [f"{how} at {where} ({ended.status}): {problem}" for problem in problems]


def traced(
    case: Prepared, folder: Path, words: Sequence[str], options: Sequence[str]
) -> tuple[int, Ended]:
    """Run a command under `strace` with these options; return the process id and the end."""
    started = case.launcher.start(folder, *words, is_traced=True)
    options = [word.replace(PID, str(started.pid)) for word in options]
    log = str(folder / "strace")
    with subprocess.Popen(
        ["strace", "-f", "-q", "-o", log, *options, "-p", str(started.pid)],
        stderr=subprocess.DEVNULL,
    ):
        return started.pid, started.wait()


def recorded(folder: Path, pid: int) -> list[Point]:
    """Return every point that a command made below a folder, in order."""
    found: Counter[tuple[str, str]] = Counter()
    points = []
    for line in (folder / "strace").read_text().splitlines():
        seen = _seen(line)
        if seen and seen[1].startswith((f"{folder}/lake", f"{folder}/state")):
            found[seen] += 1
            points.append(Point(seen[0], seen[1].replace(str(pid), PID), found[seen]))
    return points


def _seen(line: str) -> tuple[str, str] | None:
    """Return a line's system call and first path; None if the call changes nothing."""
    match = _LINE.match(line)
    if match is None or (match[1] == "openat" and "O_CREAT" not in line):
        return None
    path = _PATH.search(_HERE.sub("", match[2]))
    return (match[1], path[1] or path[2]) if path else None
