"""A server with a bad certificate or an old TLS gets no request, from either HTTP client."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web

from auditor.errors import Unreachable
from auditor.https import Https
from auditor.model import ApiClass, Request
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.rates import PaceLimits
from auditor.partner_center.tokens import GivenToken
from auditor.partner_center.transport import Transport
from auditor.secret import Secret
from tests.builders.entra import Authority, served

LIMITS = PaceLimits(per_minute=dict.fromkeys(ApiClass, 1e6), per_customer=1e6, concurrency=8)
ASK = Request(endpoint="list_customers", method="GET", path="/v1/x", api_class=ApiClass.CUSTOMERS)


def expired(authority: Authority) -> ssl.SSLContext:
    return authority.context(until=datetime(2021, 1, 1, tzinfo=UTC))


def of_another_host(authority: Authority) -> ssl.SSLContext:
    return authority.context("partner.example")


def of_another_authority(authority: Authority) -> ssl.SSLContext:
    return authority.context(ca=trustme.CA())


def too_old(authority: Authority) -> ssl.SSLContext:
    """Offer only TLS 1.1, which the library can still use."""
    context = authority.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


BAD = (expired, of_another_host, of_another_authority, too_old)


@asynccontextmanager
async def serving(context: ssl.SSLContext) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve over TLS; yield the base URL, and the list of requested paths."""
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(text="[]")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with served(app, context) as base_url:
        yield base_url, seen


async def by_transport(base_url: str, ca_file: Path) -> None:
    token = GivenToken(Secret("canary-token"))
    async with (
        Pacer(LIMITS) as pacer,
        Transport(base_url, token, pacer, ca_file=str(ca_file)) as transport,
    ):
        reply = await transport.send(ASK)
    if not reply.status:
        raise Unreachable(f"{reply.cause}, {reply.attempts} attempt(s)")


async def by_https(base_url: str, ca_file: Path) -> None:
    await asyncio.to_thread(Https(ca_file=ca_file).send, "GET", f"{base_url}/v1/x")


@pytest.mark.asyncio
@pytest.mark.parametrize("ask", [by_transport, by_https])
@pytest.mark.parametrize("bad", BAD)
async def test_a_server_that_cannot_be_trusted_gets_no_request(
    tmp_path: Path,
    ask: Callable[[str, Path], asyncio.Future[None]],
    bad: Callable[[Authority], ssl.SSLContext],
) -> None:
    """S5, fault matrix row 18."""
    authority = Authority(tmp_path)
    async with serving(bad(authority)) as (base_url, seen):
        with pytest.raises(Unreachable) as caught:
            await ask(base_url, authority.ca_file)
        assert seen == []
    if bad is not too_old:  # there the server may just close the connection
        assert "tls" in caught.value.message.lower()
        assert "3 attempt" not in caught.value.message, "a retry would fail in the same way"


@pytest.mark.asyncio
@pytest.mark.parametrize("ask", [by_transport, by_https])
async def test_a_server_that_can_be_trusted_gets_the_request(
    tmp_path: Path, ask: Callable[[str, Path], asyncio.Future[None]]
) -> None:
    """S5: otherwise the test above would prove nothing."""
    authority = Authority(tmp_path)
    async with serving(authority.context()) as (base_url, seen):
        await ask(base_url, authority.ca_file)
    assert seen == ["/v1/x"]


@pytest.mark.asyncio
async def test_the_server_with_the_old_tls_answers_a_client_that_allows_it(tmp_path: Path) -> None:
    """S5: a client that allows TLS 1.1 gets a reply, so the refusal above is ours."""
    authority = Authority(tmp_path)
    lax = ssl.create_default_context(cafile=str(authority.ca_file))
    lax.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        lax.minimum_version = ssl.TLSVersion.TLSv1_1
    async with (
        serving(too_old(authority)) as (base_url, seen),
        aiohttp.ClientSession() as session,
        session.get(f"{base_url}/v1/x", ssl=lax) as reply,
    ):
        assert reply.status == 200
    assert seen == ["/v1/x"]
