"""Records the addresses this process connects to; an audit hook sees those of all libraries."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_watched: list[list[tuple[str, int]]] = []


def _hook(event: str, args: tuple[object, ...]) -> None:
    if event == "socket.connect" and _watched:
        address = args[1]
        if isinstance(address, tuple):  # else it is a local socket
            host, port = str(address[0]), int(address[1])
            _watched[-1].append((host, port))
            if not host.startswith("127.") and host != "::1":
                raise ConnectionRefusedError(f"{host}:{port} is not on this machine")


sys.addaudithook(_hook)  # for good: there is no way to take one back


@contextmanager
def connections() -> Iterator[list[tuple[str, int]]]:
    """Record each address that is connected to; refuse those that are not on this machine."""
    seen: list[tuple[str, int]] = []
    _watched.append(seen)
    try:
        yield seen
    finally:
        _watched.pop()
