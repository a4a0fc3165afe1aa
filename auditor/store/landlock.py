"""Runs work in a thread that cannot write, by Landlock of the Linux kernel: docs/decisions/0018.

Landlock removes rights for ever: from one thread, and from every thread that this thread starts. So
the work gets a thread of its own, and all other threads of the process keep their rights.
"""

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PATIENCE_S = 0.05
"""Seconds between two calls of `stop`. It is called more than once, because the first call may
come before the work can be stopped.

A signal that arrives just before the caller begins to wait is noticed after at most this time."""

# These numbers are the same on every processor: linux/Documentation/userspace-api/landlock.rst
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_BENEATH_A_FOLDER = 1
_NO_NEW_PRIVILEGES = 38

_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
_MOVE = 1 << 13
_TCP = 0b11  # bind and connect


class NotPossible(Exception):
    """This machine cannot remove the right to write from a thread; the work was not started."""


class _Rights(ctypes.Structure):
    """The rights that the kernel refuses if no rule allows them: `landlock_ruleset_attr`."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64))


class _Rule(ctypes.Structure):
    """A rule that allows rights in a folder: `landlock_path_beneath_attr`, which has no padding."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("files", ctypes.c_uint64), ("folder", ctypes.c_int32))


def version() -> int:
    """Return the version of Landlock; 0 if the kernel has none or a container forbids it."""
    if sys.platform != "linux":
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, int(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)))


def run(work: Callable[[], T], writable: str, stop: Callable[[], None]) -> T:
    """Run `work` in a thread that can write only to the folder `writable` ("" for none).

    From version 4 of Landlock, the thread cannot open TCP connections either. Raises NotPossible if
    the thread cannot be restricted. If the caller is interrupted, `stop` is called until `work`
    ends.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []
    # A signal can interrupt the caller between any two steps. An Event can then be half changed, a
    # set cannot; so both threads share their state in a set. The lock only ends the pause.
    marks: set[str] = set()
    pause = threading.Lock()
    pause.acquire()

    def confined() -> None:
        marks.add("begun")
        try:
            if "given up" not in marks:
                _give_up_writing(writable)
                outcome.append(work())
        except BaseException as error:  # noqa: BLE001 - the caller raises it again
            failure.append(error)
        finally:
            marks.add("ended")
            pause.release()

    thread = threading.Thread(target=confined, name="read-only", daemon=True)
    try:
        thread.start()
        while "ended" not in marks:
            pause.acquire(timeout=_PATIENCE_S)
    finally:
        marks.add("given up")
        while "begun" in marks and "ended" not in marks:
            stop()
            pause.acquire(timeout=_PATIENCE_S)
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def _give_up_writing(writable: str) -> None:
    """Remove the right to write from this thread."""
    found_version = version()
    if not found_version:
        raise NotPossible
    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *args: object) -> int:
        found = int(libc.syscall(number, *args))
        if found < 0:
            code = ctypes.get_errno()
            raise NotPossible(os.strerror(code))
        return found

    files, network = _rights(found_version)
    rights = _Rights(files=files, network=network)
    ruleset = call(_CREATE_RULESET, ctypes.byref(rights), ctypes.c_size_t(ctypes.sizeof(rights)), 0)
    try:
        if writable:
            folder = os.open(writable, os.O_PATH | os.O_DIRECTORY)
            try:
                rule = _Rule(files=files, folder=folder)
                call(_ADD_RULE, ruleset, _BENEATH_A_FOLDER, ctypes.byref(rule), 0)
            finally:
                os.close(folder)
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)  # without it, only root may restrict itself
        call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _rights(version: int) -> tuple[int, int]:
    """Return the rights that this Landlock version can refuse; an unknown right is an error."""
    files = _WRITE_FILE | _REMOVE_AND_MAKE
    if version >= 2:  # noqa: PLR2004 - the first version that can allow a move between folders
        files |= _MOVE
    if version >= 3:  # noqa: PLR2004 - earlier versions cannot refuse truncate(2)
        files |= _TRUNCATE
    return files, _TCP if version >= 4 else 0  # noqa: PLR2004 - earlier versions cannot refuse TCP
