"""Starts `auditor` in separate processes that a test can kill, stop and wait for."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

FORK_SERVER = Path(__file__).with_name("fork_server.py")
PATIENCE_S = 60.0


class Ended(NamedTuple):
    """How a run ended; a negative status is the signal that ended it."""

    status: int
    out: str
    err: str


class Started:
    """A running process, the leader of its own session."""

    def __init__(self, launcher: "Launcher", pid: int, folder: Path, output: Path) -> None:
        self._launcher = launcher
        self.pid = pid
        self.folder = folder
        self._output = output

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """Send a signal to it and to every process it has started."""
        os.killpg(self.pid, signum)

    @property
    def has_ended(self) -> bool:
        """Whether it has ended; it may still be a zombie."""
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2][0]
        except FileNotFoundError:
            return True
        return state == "Z"

    def wait(self) -> Ended:
        """Wait until it ends and reap it; kill it after `PATIENCE_S`, which shows in the status."""
        ending = os.pidfd_open(self.pid)
        try:
            if not select.select([ending], [], [], PATIENCE_S)[0]:
                self.kill()
        finally:
            os.close(ending)
        status = self._launcher.request({"reap": self.pid})
        return Ended(status, self._written("out"), self._written("err"))

    def _written(self, name: str) -> str:
        """Return what it wrote; '' if it was killed before it could."""
        path = self._output / name
        return path.read_text() if path.exists() else ""


def inherited() -> dict[str, str]:
    """Return the environment of this process, without settings of the auditor."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AUDITOR_")}


class Launcher:
    """Starts runs by forking `fork_server.py`, which has imported everything already.

    `environ` adds to what a run inherits from this process. Several threads may share a launcher.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)
        self._request = threading.Lock()

    def __enter__(self) -> Self:
        self._parent = subprocess.Popen(
            ["env", "--default-signal", sys.executable, FORK_SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._parent.communicate()

    def start(
        self,
        folder: Path,
        *words: str,
        environ: Mapping[str, str] | None = None,
        output: Path | None = None,
        is_traced: bool = False,
        files: int = 0,
    ) -> Started:
        """Start `auditor` with these arguments in a folder; a traced one waits for its tracer.

        `output` is the folder for `out` and `err`, by default the same. `files` limits the number
        of open files; 0 keeps the limit of this process.
        """
        output = output or folder
        order = {
            "folder": str(folder),
            "output": str(output),
            "words": words,
            "environ": {**inherited(), **self._environ, **(environ or {})},
            "is_traced": is_traced,
            "files": files,
        }
        return Started(self, self.request(order), folder, output)

    def run(self, folder: Path, *words: str) -> Ended:
        """Start `auditor` and wait for its end."""
        return self.start(folder, *words).wait()

    def request(self, order: Mapping[str, object]) -> int:
        """Send an order to the fork server and return its answer."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        with self._request:
            self._parent.stdin.write(json.dumps(order) + "\n")
            self._parent.stdin.flush()
            return int(self._parent.stdout.readline())


def until(holds: Callable[[], bool], started: Started, *, for_s: float = PATIENCE_S) -> bool:
    """Wait until a condition holds, the run has ended or time is up; return the condition."""
    give_up_at = time.monotonic() + for_s
    while not holds():
        if started.has_ended or time.monotonic() > give_up_at:
            return holds()
        time.sleep(0.0005)
    return True
