"""Replies that point to another server: no request, token or secret is sent there."""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from auditor.errors import UnexpectedReply, Unreachable
from auditor.https import Https
from auditor.model import ApiClass
from auditor.partner_center.client import PartnerCenter
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.rates import PaceLimits
from auditor.partner_center.tokens import GivenToken
from auditor.partner_center.transport import Transport
from auditor.secret import Secret
from auditor.settings import AuthKind
from tests.builders.connections import connections
from tests.builders.entra import Authority, Entra, running, served
from tests.builders.signing import login, partner

LIMITS = PaceLimits(per_minute=dict.fromkeys(ApiClass, 1e6), per_customer=1e6, concurrency=8)
STATUSES = (301, 302, 303, 307, 308)
PLACES = (
    "http://127.0.0.1:{port}/v1/customers",
    "http://localhost:{port}/",
    "//127.0.0.1:{port}/v1/customers",
    "http://user:password@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/",
    "http://127.0.0.2:{port}/",
    "http://[::1]:{port}/",
)


class Recorder:
    """A server that records its requests, and sends the reply that it is given."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.port = 0
        self.reply = web.Response(text="[]")

    async def answer(self, request: web.Request) -> web.Response:
        self.heads.append(f"{request.method} {request.path_qs}")
        return web.Response(
            status=self.reply.status, headers=self.reply.headers, body=self.reply.body
        )

    @property
    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        return app


@asynccontextmanager
async def recorder() -> AsyncIterator[Recorder]:
    server = Recorder()
    runner = web.AppRunner(server.app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        for host in ("127.0.0.1", "127.0.0.2"):
            await web.TCPSite(runner, host, server.port).start()
            server.port = runner.addresses[0][1]
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def client_of(server: Recorder) -> AsyncIterator[PartnerCenter]:
    base_url = f"http://127.0.0.1:{server.port}"
    token = GivenToken(Secret("canary-token"))
    async with Pacer(LIMITS) as pacer, Transport(base_url, token, pacer) as transport:
        yield PartnerCenter(transport.send, base_url)


@pytest.mark.asyncio
@pytest.mark.parametrize("place", PLACES)
async def test_no_redirect_of_partner_center_is_followed(place: str) -> None:
    """S2: to another port, host, scheme or user."""
    async with recorder() as elsewhere, recorder() as server, client_of(server) as client:
        for status in STATUSES:
            there = place.format(port=elsewhere.port)
            server.reply = web.Response(status=status, headers={"Location": there})
            with connections() as seen:
                pages = await client.customers()
            assert pages.error is not None
            assert pages.error.status == status
            assert {port for _, port in seen} <= {server.port}
    assert server.heads == ["GET /v1/customers?size=500"] * len(STATUSES)
    assert elsewhere.heads == []


@pytest.mark.asyncio
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("place", ["https://localhost:{port}/", "https://127.0.0.1:{port}/token"])
async def test_no_redirect_of_the_login_is_followed(
    tmp_path: Path, status: int, place: str
) -> None:
    """S2: the body would carry a client secret there."""
    elsewhere, context = Recorder(), Authority(tmp_path).context("localhost", "127.0.0.1")
    async with running(Entra(), context) as entra, served(elsewhere.app, context) as there:
        location = place.format(port=there.rpartition(":")[2])
        entra.replies = [
            web.Response(status=status, headers={"Location": location}, text="{}") for _ in range(3)
        ]
        signing = login(partner(AuthKind.APP, client_secret="env:S"), tmp_path, entra.base_url)
        with pytest.raises(Unreachable, match="no token endpoint"):
            await signing.fetch()
        assert elsewhere.heads == []
        answer = await asyncio.to_thread(
            Https(ca_file=tmp_path / "ca.pem").send, "GET", f"{there}/reached"
        )
        assert (answer.status, elsewhere.heads) == (200, ["GET /reached"]), "it is reachable"


HOSTS = (
    "evil.example",
    "127.0.0.1.evil.example:{port}",
    "127.0.0.1:{port}.evil.example",
    "127.0.0.1:{port}@evil.example",
    "evil.example@127.0.0.1:{port}",
    "user:password@127.0.0.1:{port}",
    "127.0.0.1:{other}",
    "127.0.0.1",
    "127.0.0.2:{port}",
    "localhost:{port}",
    "127.1:{port}",
    "2130706433:{port}",
    "0x7f000001:{port}",
    "[::ffff:127.0.0.1]:{port}",
    "127.0.0.1.:{port}",
    "127.0.0.1:0{port}",
    "127.0.0.1%00.evil.example:{port}",
    "169.254.169.254",
    "metadata.google.internal",
)
SCHEMES = ("http://", "https://", "//", "ftp://", "gopher://", "javascript://", "http:\\\\")
PATHS = ("/v1/customers?size=500", "/customers?size=500", "/latest/meta-data/")
ON_THE_SAME_HOST = (
    "file:///etc/passwd",
    "data:application/json,[]",
    "javascript:alert(1)",
    "/v1/customers/../../latest",
    "/v1/customers/%2e%2e/%2e%2e/latest",
    "/v1/customers/..%2f..%2flatest",
    "/v1//customers",
    "/v1/./customers",
    "/v1/customers;x=1",
    "/v1/customers%3fsize=1",
    "/v2/customers",
    "/customers/../orders",
    "//customers",
    "///customers",
    "/\\evil.example/customers",
    "\\\\evil.example\\customers",
    "/v1/customers#@evil.example",
    "/v1/customers\r\nHost: evil.example",
    "/v1/customers\tx",
    "/v1/customers\0",
    "/v1/customers ?size=1",
    "http:/v1/customers",
    "http:///v1/customers",
    "http://[::1/v1/customers",
    "?size=500",
    "",
)


def hostile(port: int, other: int) -> list[str]:
    """Return links that do not lead to a next page of the same list."""
    made = [
        f"{scheme}{host.format(port=port, other=other)}{path}"
        for scheme, host, path in itertools.product(SCHEMES, HOSTS, PATHS)
    ]
    return [*made, *ON_THE_SAME_HOST]


@pytest.mark.asyncio
async def test_no_hostile_link_is_followed() -> None:
    """S3: with hundreds of links, the only connections are to the one server."""
    async with recorder() as elsewhere, recorder() as server, client_of(server) as client:
        links = hostile(server.port, elsewhere.port)
        assert len(set(links)) > 400
        with connections() as seen:
            for uri in links:
                link = {"uri": uri, "method": "GET", "headers": []}
                page = {"totalCount": 1, "items": [{"id": "a"}], "links": {"next": link}}
                server.reply = web.Response(body=json.dumps(page).encode())
                server.heads.clear()
                pages = await client.customers()
                assert (len(server.heads), pages.complete) == (1, False), uri
                assert isinstance(pages.error, UnexpectedReply), uri
        assert set(seen) <= {("127.0.0.1", server.port)}
    assert elsewhere.heads == []


@pytest.mark.asyncio
async def test_the_recording_of_connections_sees_each_one() -> None:
    """S3: otherwise the test above would prove nothing."""
    async with recorder() as server:
        with connections() as seen, socket.socket() as one:
            one.connect(("127.0.0.2", server.port))
            with pytest.raises(ConnectionRefusedError, match="not on this machine"):
                one.connect(("192.0.2.1", 80))
    assert seen == [("127.0.0.2", server.port), ("192.0.2.1", 80)]
