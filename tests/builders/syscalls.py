"""Fails or kills a run at each system call in turn that changes a lake or a state folder.

What is driven is the end of a run: its journal is whole, so that it only stages and publishes.
`strace` writes down what such a run does; each line that changes something is then a point.
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
from tests.builders.driving import Ended, until
from tests.builders.killing import Prepared, odd

CHANGING = (
    "write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat"
    ",mkdir,mkdirat,rmdir,ftruncate,openat,flock"
)
HOW = ("signal=KILL", "error=EIO", "error=ENOSPC")
ONE_PARTNER = WorldSize(
    partners=1, customers=6, products=2, regions=2, sizes_per_product=2, licence_products=3
)
PID = "{pid}"
"""Stands for the number of the process in a path."""
_LINE = re.compile(r"(?:\[pid +\d+\] |\d+ +)?(\w+)\((.*)")
_HERE = re.compile(r"AT_FDCWD<[^>]*>")
_PATH = re.compile(r'<(/[^<>]+)>|"(/[^"]+)"')


class Point(NamedTuple):
    """The nth time that a system call is made on a path, below the folder of a case."""

    call: str
    path: str
    nth: int


def is_usable() -> bool:
    """Whether there is an strace that may trace here, and knows how to inject."""
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
    """The second night of a prepared case, killed when all was asked and nothing published.

    It is brought back to that moment, at one and the same place, before each try: where a store
    lies is part of what a run is.
    """

    def __init__(self, case: Prepared, folder: Path) -> None:
        self._case = case
        self._ready = folder / "ready"
        self.folder = case.fresh(folder / "tried")
        started = case.warm.start(self.folder, "run", "--format", "json")
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
        """Return every point of an undisturbed end of the run, in order."""
        self._restored()
        pid, ended = self._traced(["-y", "-e", f"trace={CHANGING}"])
        assert ended.status == 0, ended.err
        found: Counter[tuple[str, str]] = Counter()
        points = []
        for line in (self.folder / "strace").read_text().splitlines():
            seen = _seen(line)
            if seen and seen[1].startswith((f"{self.folder}/lake", f"{self.folder}/state")):
                found[seen] += 1
                points.append(Point(seen[0], seen[1].replace(str(pid), PID), found[seen]))
        return points

    def signalled(self, point: Point, signum: signal.Signals, *words: str) -> Ended:
        """Go on with the run; the signal comes with the nth system call of a point."""
        self._restored()
        inject = f"inject={point.call}:signal={signum.name}:when={point.nth}"
        said = ["-P", point.path, "-e", f"trace={point.call}", "-e", inject]
        _, ended = self._traced(said, *words)
        (self.folder / "strace").unlink()
        return ended

    def resumed(self, *words: str) -> Ended:
        """Go on with the run once more, to its end."""
        return self._case.warm.run(self.folder, "run", "--resume", "--format", "json", *words)

    def _traced(self, said: Sequence[str], *words: str) -> tuple[int, Ended]:
        """Go on with the run under `strace`, which is told `said`; return process and end."""
        log = str(self.folder / "strace")
        started = self._case.warm.start(
            self.folder, "run", "--resume", "--format", "json", *words, is_traced=True
        )
        pid = str(started.pid)
        said = [word.replace(PID, pid) for word in said]
        with subprocess.Popen(
            ["strace", "-f", "-q", "-o", log, *said, "-p", pid],
            stderr=subprocess.DEVNULL,
        ):
            return started.pid, started.wait()

    def tried(self, point: Point, how: str) -> list[str]:
        """Fail (`error=EIO`) or kill (`signal=KILL`) at a point; return what is wrong then.

        P10, P30: nothing partial is seen, the status is as designed, and resumed it is golden.
        """
        self._restored()
        inject = f"inject={point.call}:{how}:when={point.nth}"
        _, ended = self._traced(["-P", point.path, "-e", f"trace={point.call}", "-e", inject])
        is_kill = how.startswith("signal")
        problems = odd(ended, {0, -signal.SIGKILL} if is_kill else {0, 73, 74})
        problems += comparing.partials(FolderStore.open(str(self.folder / "lake")))
        if ended.status != 0:
            run_id, _ = self._case.newest_run(self.folder) or ("", False)
            again = self._case.warm.run(self.folder, "run", "--resume", run_id, "--format", "json")
            problems += odd(again, {0})
        (self.folder / "strace").unlink()
        wrong = self._case.problems(self.folder, kills=1)
        if not is_kill:  # a disk that fails to forget keeps its rubbish
            wrong = [problem for problem in wrong if not problem.startswith("left over")]
        problems += wrong
        where = f"{point.call} {point.nth} of {point.path.removeprefix(str(self.folder))}"
        return [f"{how} at {where} ({ended.status}): {problem}" for problem in problems]


def _seen(line: str) -> tuple[str, str] | None:
    """Return the call of a line and the first path in it; None where it changes nothing."""
    match = _LINE.match(line)
    if match is None or (match[1] == "openat" and "O_CREAT" not in line):
        return None
    path = _PATH.search(_HERE.sub("", match[2]))
    return (match[1], path[1] or path[2]) if path else None
