"""Ends connections to a server that no longer answers: no driver would stop waiting for it."""

import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

_QUIET = 3
"""How many times as long as connecting may take nobody looks whether the server is there."""
_TRIES = 2
"""How many in a row have to wait in vain: one may fall into a busy moment."""


class Watch:
    """Looks at a server while something is asked of it.

    Keepalives tell of a machine that is gone. They say nothing of a server that is stopped, whose
    machine answers them; so now and then somebody else connects, and where that takes too long the
    sockets of this process are shut. Who waits on one is told that the connection is lost.
    """

    def __init__(self, conninfo: str, connect_timeout_s: int) -> None:
        self._conninfo = conninfo
        self._timeout_s = connect_timeout_s
        self._peers: set[object] = set()
        self._lock = threading.Lock()
        self._asking = 0
        self._ended = threading.Event()

    def connected(self, fd: int) -> None:
        """Take note of a connection, and so of where the server is."""
        with socket.socket(fileno=os.dup(fd)) as ours:
            self._peers.add(ours.getpeername())

    @contextmanager
    def over(self) -> Iterator[None]:
        """Watch while the block runs."""
        with self._lock:
            self._asking += 1
            if self._asking == 1:
                self._ended = threading.Event()
                threading.Thread(target=self._watch, args=(self._ended,), daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._asking -= 1
                if not self._asking:
                    self._ended.set()

    def _watch(self, ended: threading.Event) -> None:
        while not ended.wait(_QUIET * self._timeout_s):
            if all(self._is_silent() for _ in range(_TRIES)):
                self._shut()

    def _is_silent(self) -> bool:
        try:
            psycopg.connect(self._conninfo, connect_timeout=self._timeout_s).close()
        except psycopg.errors.ConnectionTimeout:
            return True
        except psycopg.Error:  # it refuses: it is there
            return False
        return False

    def _shut(self) -> None:
        for open_file in Path("/dev/fd").iterdir():
            fd = int(open_file.name)
            with suppress(OSError):  # it is closed by now, or no socket with a peer
                if stat.S_ISSOCK(os.fstat(fd).st_mode):
                    with socket.socket(fileno=os.dup(fd)) as one:
                        if one.getpeername() in self._peers:
                            one.shutdown(socket.SHUT_RDWR)
