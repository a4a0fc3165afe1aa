"""A server that answers with raw bytes from the test, and a client for it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count

from auditor.model import ApiClass, Request
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.rates import PaceLimits
from auditor.partner_center.retry import RetryBudget
from auditor.partner_center.tokens import GivenToken
from auditor.partner_center.transport import Timeouts, Transport
from auditor.secret import Secret

LIMITS = PaceLimits(per_minute=dict.fromkeys(ApiClass, 1e6), per_customer=1e6, concurrency=8)
NOW = datetime(2026, 11, 21, tzinfo=UTC)
CANARY = "canary-55aa17"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n[]"
Behaviour = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


def ask(method: str = "GET", path: str = "/v1/products", header: str = "") -> Request:
    return Request(
        endpoint="list_products",
        method=method,
        path=path,
        headers=(("X-Test", header),) if header else (),
        body=b"{}" if method == "POST" else b"",
        api_class=ApiClass.CATALOG,
    )


class RawServer:
    """Reads whole requests and lets `behaviour` answer the nth."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.heads: list[bytes] = []
        self.open: set[asyncio.StreamWriter] = set()
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"content-length: 2" in head.lower():
                    await reader.readexactly(2)
                self.heads.append(head)
                await self.behaviour(len(self.heads), writer)
                await writer.drain()
                if b"Connection: close" in head or writer.is_closing():
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(
    behaviour: Behaviour,
    *,
    retries: bool = False,
    timeouts: Timeouts | None = None,
    max_body: int = 2**20,
    tls: ssl.SSLContext | None = None,
    ca_file: str = "",
    scheme: str = "http",
) -> AsyncIterator[tuple[Transport, RawServer]]:
    raw = RawServer(behaviour)
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0, ssl=tls)
    port = raw.port = server.sockets[0].getsockname()[1]
    ids = count(1)

    async def no_sleep(_: float) -> None:
        await asyncio.sleep(0)

    try:
        async with (
            Pacer(LIMITS) as pacer,
            Transport(
                f"{scheme}://localhost:{port}",
                GivenToken(Secret(CANARY)),
                pacer,
                sleep=no_sleep,
                now=lambda: NOW,
                ids=lambda: f"id-{next(ids)}",
                timeouts=timeouts or Timeouts(),
                budget=RetryBudget(floor=100 if retries else 0, share=0),
                max_body=max_body,
                ca_file=ca_file,
            ) as transport,
        ):
            yield transport, raw
    finally:
        server.close()
        for writer in raw.open:
            writer.close()
        await asyncio.gather(*(w.wait_closed() for w in raw.open), return_exceptions=True)


def always(sent: bytes, *, hang_up: bool = True) -> Behaviour:
    async def behave(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        if hang_up:
            await writer.drain()
            writer.close()

    return behave
