"""Starts `auditor` in processes of its own, to be killed, stopped and waited for."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

WARM = Path(__file__).with_name("warm.py")
PATIENCE_S = 60.0


class Ended(NamedTuple):
    """How a run ended; a negative status is the signal that ended it."""

    status: int
    out: str
    err: str


class Started:
    """A run at work, the leader of a session of its own."""

    def __init__(self, process: "Warm", pid: int, folder: Path) -> None:
        self._process = process
        self.pid = pid
        self.folder = folder

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """Send a signal to it and to all it may have started."""
        os.killpg(self.pid, signum)

    @property
    def has_ended(self) -> bool:
        """Whether it waits to be reaped."""
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2][0]
        except FileNotFoundError:
            return True
        return state == "Z"

    def wait(self) -> Ended:
        """Reap it once it ends; one that hangs is killed, and its status says so."""
        watchdog = threading.Timer(PATIENCE_S, self.kill)
        watchdog.start()
        try:
            status = self._process.tell({"reap": self.pid})
        finally:
            watchdog.cancel()
        return Ended(status, said(self.folder, "out"), said(self.folder, "err"))


class Warm:
    """Starts runs by forking a process that has everything imported."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)

    def __enter__(self) -> Self:
        self._parent = subprocess.Popen(
            ["env", "--default-signal", sys.executable, WARM],
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
        is_traced: bool = False,
        files: int = 0,
    ) -> Started:
        """Start `auditor` with these words in a folder; a traced one waits for its tracer.

        `files` is how many it may open, if not as many as we may.
        """
        order = {
            "folder": str(folder),
            "words": words,
            "environ": {**self._environ, **(environ or {})},
            "is_traced": is_traced,
            "files": files,
        }
        return Started(self, self.tell(order), folder)

    def run(self, folder: Path, *words: str) -> Ended:
        """Run to the end."""
        return self.start(folder, *words).wait()

    def tell(self, order: Mapping[str, object]) -> int:
        """Give an order and return the answer."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps(order) + "\n")
        self._parent.stdin.flush()
        return int(self._parent.stdout.readline())


def said(folder: Path, stream: str) -> str:
    path = folder / stream
    return path.read_text() if path.exists() else ""


def until(holds: Callable[[], bool], started: Started, *, for_s: float = PATIENCE_S) -> bool:
    """Wait until something holds; return whether it did before the run had ended."""
    give_up_at = time.monotonic() + for_s
    while not holds():
        if started.has_ended or time.monotonic() > give_up_at:
            return holds()
        time.sleep(0.0005)
    return True
