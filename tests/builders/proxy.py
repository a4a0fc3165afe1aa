"""A TCP proxy on loopback that harms connections: delayed, cut, half closed, slow, reset."""

import asyncio
import random
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from tests.builders.server_thread import ServerThread

HOST = "127.0.0.1"
_RESET = struct.pack("ii", 1, 0)


class Harm(NamedTuple):
    """The harm to one connection; by default none."""

    latency_s: float = 0.0
    """Delay of each piece of a reply."""
    jitter_s: float = 0.0
    """Longest additional random delay."""
    passes: int = -1
    """Bytes of replies that pass before `then` happens; -1: it never happens."""
    then: str = "cut"
    """`cut` closes, `reset` resets, `half` ends the reply but still reads, `hang` sends no more,
    `trickle` sends a byte at a time."""


NONE = Harm()
Choose = Callable[[int, random.Random], Harm]
"""Returns the harm to the nth connection."""


class Proxy(ServerThread):
    """The proxy in front of a server's port, in its own thread."""

    def __init__(self, port: int, choose: Choose, seed: int = 0) -> None:
        super().__init__("proxy")
        self._port = port
        self._choose = choose
        self._rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.harmed = 0
        self.base_url = ""

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._on_connection, HOST, 0)
        self.base_url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
        self._is_up.set()
        await self._done.wait()
        server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        harm = self._choose(self.connections, self._rng)
        self.connections += 1
        self.harmed += harm != NONE
        task = asyncio.create_task(self._relay(reader, writer, harm))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _relay(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, harm: Harm
    ) -> None:
        with suppress(OSError):
            to_reader, to_writer = await asyncio.open_connection(HOST, self._port)
            asking = asyncio.create_task(_pump(reader, to_writer))
            try:
                await self._replies(to_reader, writer, harm)
            finally:
                asking.cancel()
                to_writer.close()
                writer.close()

    async def _replies(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, harm: Harm
    ) -> None:
        left = harm.passes
        while data := await reader.read(65536):
            if harm.latency_s or harm.jitter_s:
                await asyncio.sleep(harm.latency_s + self._rng.uniform(0, harm.jitter_s))
            whole = data if left < 0 else data[:left]
            left = left if left < 0 else left - len(whole)
            writer.write(whole)
            await writer.drain()
            if left == 0:
                await _end(writer, harm.then, data[len(whole) :])
                return


async def _end(writer: asyncio.StreamWriter, how: str, rest: bytes) -> None:
    match how:
        case "reset":
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
        case "half":
            writer.write_eof()
            await asyncio.Event().wait()
        case "hang":
            await asyncio.Event().wait()
        case "trickle":
            for place in range(len(rest)):
                writer.write(rest[place : place + 1])
                await asyncio.sleep(0.01)
        case _:
            pass


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
