"""A process that has imported everything, and forks a run for each order on its stdin.

A run spends most of its one second on imports; tests that kill hundreds of runs save this time.
This process never starts a thread, so a fork of it behaves like a new process.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

import msgspec

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import auditor.cli.perform
import auditor.doctor
import auditor.report.html
import auditor.report.progress_bar
import auditor.report.terminal
import auditor.run.forecast_run
import auditor.run.run
import auditor.store.folder.store
import auditor.store.postgres.store  # noqa: F401 - these are here to be forked with
from auditor.__main__ import run


class Order(msgspec.Struct, kw_only=True):
    """A run to start, or one to reap.

    `environ` is the whole environment. The output goes to `out` and `err` in the folder `output`.
    """

    reap: int = 0
    folder: str = ""
    output: str = ""
    words: list[str] = []
    environ: dict[str, str] = {}
    is_traced: bool = False
    files: int = 0


def main() -> None:
    """Read orders, one JSON object per line; fork or reap, and answer each with one number."""
    for line in sys.stdin:
        # not msgspec's decoder: an argument may hold a byte that is not UTF-8
        order = msgspec.convert(json.loads(line), Order)
        if order.reap:
            _, status = os.waitpid(order.reap, 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if not answer:
                become(order)
            while os.getsid(answer) != answer:  # from then on killpg reaches all its processes
                os.sched_yield()
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def become(order: Order) -> None:
    """Run `auditor` with these arguments in this process, in its own session and folder."""
    os.setsid()
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environ)
    for number, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, "out", os.O_CREAT | os.O_WRONLY | os.O_TRUNC),
        (2, "err", os.O_CREAT | os.O_WRONLY | os.O_TRUNC),
    ):
        handle = os.open(Path(order.output, name), flags, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    if order.files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (order.files, order.files))
    sys.argv = ["auditor", *order.words]
    while order.is_traced and "\nTracerPid:\t0\n" in Path("/proc/self/status").read_text():
        time.sleep(0.002)
    try:
        run()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        # skip teardown: a forked library may abort in it, which would change the exit status
        os._exit(end.code if isinstance(end.code, int) else 1)


if __name__ == "__main__":
    main()
