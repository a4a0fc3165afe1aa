"""Work done where nothing can be written, by Landlock of the Linux kernel: see docs/decisions/0018.

Landlock takes rights away from one thread, and from every thread which that one starts, for ever.
So the work gets a thread of its own, which ends with it; the rest of the process keeps its rights.
"""

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PATIENCE_S = 0.05
"""Time between two calls of `stop`: the work may not have got to where it can be stopped.

It is also how late a signal is noticed that came just before the caller began to wait."""

# The same number on every processor: linux/Documentation/userspace-api/landlock.rst
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_BENEATH_A_FOLDER = 1
_NO_NEW_PRIVILEGES = 38

_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
_MOVE = 1 << 13
_TCP = 0b11  # bind and connect


class NotPossible(Exception):
    """This machine cannot take the right to write from a thread; the work was not begun."""


class _Rights(ctypes.Structure):
    """What the kernel refuses from now on, unless a rule allows it: `landlock_ruleset_attr`."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64))


class _Rule(ctypes.Structure):
    """What is allowed beneath a folder: `landlock_path_beneath_attr`, which has no padding."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("files", ctypes.c_uint64), ("folder", ctypes.c_int32))


def _version() -> int:
    """Return the version of Landlock; 0 where the kernel has none or a container forbids it."""
    if sys.platform != "linux":
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, int(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)))


def is_possible() -> bool:
    """Tell whether this machine can take the right to write from a thread."""
    return _version() > 0


def run(work: Callable[[], T], writable: str, stop: Callable[[], None]) -> T:
    """Do work in a thread that can write in the folder `writable` alone ("" is none).

    It can reach no network by TCP either, from version 4 of Landlock on. NotPossible where it would
    not be bound. When the caller is interrupted, `stop` is called until the work ends.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []
    # A signal can come between any two steps of the caller. So what both threads have to know is in
    # a set, which no signal leaves half changed as it would an Event; the lock only ends the pause.
    marks: set[str] = set()
    pause = threading.Lock()
    pause.acquire()

    def confined() -> None:
        marks.add("begun")
        try:
            if "given up" not in marks:
                _give_up_writing(writable)
                outcome.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
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
    """Take the right to write from this thread."""
    version = _version()
    if not version:
        raise NotPossible
    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *args: object) -> int:
        found = int(libc.syscall(number, *args))
        if found < 0:
            code = ctypes.get_errno()
            raise NotPossible(os.strerror(code))
        return found

    files, network = _rights(version)
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
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)  # without it only root may go on
        call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _rights(version: int) -> tuple[int, int]:
    """Return what this version can refuse: it would not take a right that it does not know."""
    files = _WRITE_FILE | _REMOVE_AND_MAKE
    if version >= 2:  # noqa: PLR2004 - the first to allow a move between folders
        files |= _MOVE
    if version >= 3:  # noqa: PLR2004 - truncate(2) is free before
        files |= _TRUNCATE
    return files, _TCP if version >= 4 else 0  # noqa: PLR2004 - likewise the network
