"""A process that has everything imported, and forks a run for each order on its stdin.

A run spends most of its second on imports; hundreds of runs that are to be killed do without. It
never starts a thread, so a fork of it is as good as a new process.
"""

import os
import resource
import sys
import time
from pathlib import Path

import msgspec

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import auditor.cli.perform
import auditor.report.progress_bar
import auditor.report.terminal
import auditor.run.run
import auditor.store.folder.store  # noqa: F401 - these are here to be forked with
from auditor.__main__ import run


class Order(msgspec.Struct, kw_only=True):
    """A run to start, or one to reap."""

    reap: int = 0
    folder: str = ""
    words: list[str] = []
    environ: dict[str, str] = {}
    is_traced: bool = False
    files: int = 0


def main() -> None:
    """Fork and reap as told, one JSON object a line, one number in return."""
    for line in sys.stdin:
        order = msgspec.json.decode(line, type=Order)
        if order.reap:
            _, status = os.waitpid(order.reap, 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if not answer:
                become(order)
            while os.getsid(answer) != answer:  # it can be killed with all it starts from here on
                os.sched_yield()
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def become(order: Order) -> None:
    """Turn into `auditor` with these words, in a session and a folder of its own."""
    os.setsid()
    os.chdir(order.folder)
    os.environ.update(order.environ)
    for number, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, "out", os.O_CREAT | os.O_WRONLY | os.O_TRUNC),
        (2, "err", os.O_CREAT | os.O_WRONLY | os.O_TRUNC),
    ):
        handle = os.open(name, flags, 0o600)
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
        # a library that was forked may abort as it is torn down: that is not the run's doing
        os._exit(end.code if isinstance(end.code, int) else 1)


if __name__ == "__main__":
    main()
