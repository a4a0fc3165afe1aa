"""Ends connections to a server that stops answering, because the drivers would wait for ever."""

import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

_QUIET = 3
"""Wait three connect timeouts before probing the server."""
_TRIES = 2
"""The server counts as gone after this many failed probes: one could fail because it is busy."""


class Watch:
    """Probes a server while statements run on it.

    TCP keepalives detect a machine that is gone. They do not detect a stopped server process,
    because its machine still answers them. So a thread opens a new connection now and then. If that
    times out twice, the thread shuts this process's sockets to the server, and waiting drivers
    raise an error.
    """

    def __init__(self, conninfo: str, connect_timeout_s: int) -> None:
        self._conninfo = conninfo
        self._timeout_s = connect_timeout_s
        self._peers: set[object] = set()
        self._lock = threading.Lock()
        self._active = 0
        self._ended = threading.Event()

    def connected(self, fd: int) -> None:
        """Remember the server's address from an open connection."""
        with socket.socket(fileno=os.dup(fd)) as ours:
            self._peers.add(ours.getpeername())

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the block runs."""
        with self._lock:
            self._active += 1
            if self._active == 1:
                self._ended = threading.Event()
                threading.Thread(target=self._watch, args=(self._ended,), daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._active -= 1
                if not self._active:
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
        except psycopg.Error:  # the server refuses, so it is there
            return False
        return False

    def _shut(self) -> None:
        for open_file in Path("/dev/fd").iterdir():
            fd = int(open_file.name)
            with suppress(OSError):  # the file is closed already, or is a socket without a peer
                if stat.S_ISSOCK(os.fstat(fd).st_mode):
                    with socket.socket(fileno=os.dup(fd)) as one:
                        if one.getpeername() in self._peers:
                            one.shutdown(socket.SHUT_RDWR)
