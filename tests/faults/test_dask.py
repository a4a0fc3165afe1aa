"""The Dask job, with a real scheduler and real workers, one of which is killed."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from auditor.journal.journal import SYNC_RECORDS
from tests.builders.killing import Prepared
from tests.builders.throwaway import free_port

JOB = Path(__file__).parents[2] / "jobs" / "dask" / "nightly.py"
DASK = Path(sys.executable).with_name("dask")
KILLS = range(10 if os.environ.get("SOAK") else 1)
PATIENCE_S = 200.0


class Cluster:
    """A scheduler and two workers on loopback, each in a process group of its own."""

    def __init__(self, stack: ExitStack, folder: Path, environ: dict[str, str]) -> None:
        self._stack = stack
        self._folder = folder
        self._environ = {**os.environ, **environ, "DASK_DISTRIBUTED__WORKER__DAEMON": "False"}
        self.address = f"tcp://127.0.0.1:{free_port()}"
        port = self.address.rpartition(":")[2]
        self._start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
        self.workers = [self.start_worker() for _ in range(2)]

    def start_worker(self) -> subprocess.Popen[bytes]:
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
        return self._start("worker", self.address, *options)

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [DASK, *words],
            cwd=self._folder,
            env=self._environ,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def submit(self, parts: int, run: str) -> subprocess.Popen[str]:
        """Start the job as a user does."""
        return subprocess.Popen(
            [sys.executable, JOB, self.address, "--parts", str(parts), "--run", run],
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@contextmanager
def cluster(case: Prepared, folder: Path) -> Iterator[Cluster]:
    environ = {
        **case.serving.environ,
        "AUDITOR_COMMAND": str(Path(sys.executable).with_name("auditor")),
        "AUDITOR_CONFIG": str(folder / "auditor.toml"),
        "AUDITOR_RUN__LEASE_SECONDS": "2",
    }
    with ExitStack() as stack:
        yield Cluster(stack, folder, environ)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", KILLS)
def test_a_killed_worker_costs_a_run_on_dask_nothing(
    case: Prepared, seed: int, tmp_path: Path
) -> None:
    """P10, P11: the task runs again elsewhere, perhaps while its first command lives on."""
    folder = case.fresh(tmp_path / "killed")
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    calls = rng.randrange(case.questions.total())
    kill = rng.choice([os.kill, os.killpg])  # the worker alone, or its command too
    with cluster(case, folder) as dask:
        job = dask.submit(4, "night-2")
        until_called(case, calls, job)
        kill(dask.workers[0].pid, signal.SIGKILL)
        dask.start_worker()
        out, err = job.communicate(timeout=PATIENCE_S)
    assert job.returncode == 0, (seed, calls, out, err)
    assert case.problems(folder, kills=1, unshared=SYNC_RECORDS) == [], (seed, calls, kill)


def until_called(case: Prepared, calls: int, job: subprocess.Popen[str]) -> None:
    """Wait until the server has answered so many calls."""
    give_up_at = time.monotonic() + PATIENCE_S
    while case.serving.calls < calls and job.poll() is None and time.monotonic() < give_up_at:
        time.sleep(0.001)
