"""How the process ends: what a signal does, and which exit status each error gives."""

import errno
import signal
import subprocess
import sys

import pytest

from auditor.cli.stopping import Stopped, Stopper, exit_status_of
from auditor.errors import AuditorError, Bug, Locked, StoreFailed, as_auditor_error, leaves

CHILD = """
import asyncio, sys
from auditor.cli.stopping import Stopped, Stopper

async def work(patience):
    print("started", flush=True)
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        print("cleaning up", flush=True)
        if patience == "stubborn":
            await asyncio.get_running_loop().create_future()
        print("clean", flush=True)

with Stopper() as stopper:
    stopper.before_forced_exit = lambda status: print("last words", status, flush=True)
    try:
        if sys.argv[1] == "ending":
            stopper.let_finish()
            print("started", flush=True)
            sys.stdin.read()
            print("ended by itself", flush=True)
        elif sys.argv[1] == "sync":
            print("started", flush=True)
            sys.stdin.read()
        else:
            stopper.wait(work(sys.argv[1]))
    except Stopped as stopped:
        print(stopped, flush=True)
        sys.exit(stopped.exit_status)
"""


def child(kind: str) -> "subprocess.Popen[str]":
    started = subprocess.Popen(
        # tests that run in the background may have inherited ignored signals
        ["env", "--default-signal", sys.executable, "-c", CHILD, kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "started\n"
    return started


@pytest.mark.parametrize(
    ("signum", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)],
)
@pytest.mark.parametrize("kind", ["patient", "sync"])
def test_a_signal_lets_the_work_clean_up(kind: str, signum: signal.Signals, status: int) -> None:
    """P29."""
    process = child(kind)
    process.send_signal(signum)
    out, err = process.communicate()
    assert process.returncode == status
    assert out == ("" if kind == "sync" else "cleaning up\nclean\n") + f"{signum.name}\n"
    assert err == ""


def test_a_second_signal_ends_the_process_at_once() -> None:
    """P29."""
    process = child("stubborn")
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "cleaning up\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert (out, err) == ("last words 130\n", "")


def test_a_signal_does_not_stop_a_process_that_is_finishing() -> None:
    """The process is writing its report then, and half a report is of no use."""
    process = child("ending")
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "ended by itself\n", "")


def test_a_signal_that_the_parent_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stopper():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_earlier_signal_handlers_are_restored() -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with Stopper() as stopper:
        assert stopper.wait(_seven()) == 7
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


async def _seven() -> int:
    return 7


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Locked("x"), 75),
        (ExceptionGroup("x", [ExceptionGroup("y", [Locked("x")]), Bug("z")]), 75),
        (OSError(errno.ENOSPC, "No space left on device", "/lake/x"), 74),
        (OSError(errno.EIO, "I/O error"), 74),
        (TimeoutError("x"), 70),
        (PermissionError(errno.EACCES, "x"), 70),
        (KeyError("x"), 70),
        (RecursionError("x"), 70),
        (KeyboardInterrupt(), 130),
        (Stopped(signal.SIGTERM), 143),
    ],
)
def test_every_error_has_its_exit_status(error: BaseException, status: int) -> None:
    assert exit_status_of(error) == status


def test_the_text_of_a_foreign_error_is_not_shown() -> None:
    try:
        raise KeyError("hunter2pass")  # noqa: TRY301 - gives the error a line in this file
    except KeyError as error:
        ours = as_auditor_error(error)
    assert isinstance(ours, Bug)
    assert "hunter2pass" not in ours.message
    assert "KeyError in test_stopping.py:" in ours.message


def test_a_full_disk_is_reported_with_its_path() -> None:
    ours = as_auditor_error(OSError(errno.ENOSPC, "No space left on device", "/lake/x"))
    assert isinstance(ours, StoreFailed)
    assert ours.message == "/lake/x: No space left on device"
    assert isinstance(ours, AuditorError)
    assert list(leaves(ours)) == [ours]
