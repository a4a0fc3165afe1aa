"""A server in front of the sandbox whose replies contain the request's token, in many forms.

It accepts its own tokens and replaces them by the sandbox's, which the client never sees.
"""

import base64
import json
import re
import textwrap
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote

import aiohttp
from aiohttp import web

PASSED_ON = ("Content-Type", "MS-RequestId", "MS-CorrelationId", "X-Locale")


class TokenEchoServer:
    """Forwards most requests to the sandbox; answers the others with the token in the reply."""

    def __init__(self, behind: str, tokens: Mapping[str, str], elsewhere: str) -> None:
        """Take the sandbox's URL, its tokens by the client's, and the target of redirects."""
        self.behind = behind
        self.tokens = tokens
        self.elsewhere = elsewhere
        self.shown: Counter[str] = Counter()
        """Number of replies by trick."""
        self._tricks: dict[int, str] = {}
        """Trick by request: a repeated request gets the same one."""

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        sent = request.headers.get("Authorization", "")
        token = sent.removeprefix("Bearer ")
        drawn = zlib.crc32(request.raw_path.encode() + body)
        if request.path.endswith(("/customers", "/products", "/skus")):
            self.shown["named"] += 1
            return await self._passed_on(request, body, token, title=token)
        if drawn % 3:
            return await self._passed_on(request, body, token)
        trick = self._tricks.setdefault(drawn, TRICKS[len(self._tricks) % len(TRICKS)])
        self.shown[trick] += 1
        match trick:
            case "id":
                ids = {"MS-RequestId": token, "MS-CorrelationId": f"{token[:60]},{token[:60]}"}
                return web.Response(status=403, headers=ids)
            case "moved":
                there = f"{self.elsewhere}/{quote(token)}?{quote(sent)}"
                return web.Response(status=307, headers={"Location": there}, text=sent)
            case _:
                status, text = _page(trick, sent, token)
                return web.Response(status=status, text=text, content_type="text/html")

    async def _passed_on(
        self, request: web.Request, body: bytes, token: str, title: str = ""
    ) -> web.Response:
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        headers["Authorization"] = f"Bearer {self.tokens.get(token, 'nobody')}"
        url = self.behind + request.path_qs
        async with (
            aiohttp.ClientSession() as session,
            session.request(request.method, url, data=body, headers=headers) as reply,
        ):
            text = (await reply.read()).decode()
            if title:
                text = re.sub(r'("(?:title|companyName)": ?")', rf"\g<1>{title} ", text)
            return web.Response(status=reply.status, text=text, content_type="application/json")


TRICKS = (
    "id",
    "moved",
    "refused",
    "denied",
    "page",
    "crash",
    "broken",
    "wrapped",
    "encoded",
    "coded",
)


def _page(trick: str, sent: str, token: str) -> tuple[int, str]:
    pages = {
        "refused": (401, f"<h1>Who is {token}?</h1><pre>Authorization: {sent}</pre>"),
        "denied": (403, json.dumps({"code": token, "description": f"{sent} may not do this"})),
        "page": (200, f"<html><a href='/debug?token={quote(token, safe='')}'>{sent}</a></html>"),
        "crash": (500, f"Traceback: request({{'Authorization': '{sent}'}})"),
        "broken": (200, f'{{"totalCount": 1, "items": [{{"id": "{token}", "title'),
        "wrapped": (400, "\n    ".join(textwrap.wrap(sent, 20))),
        "encoded": (400, base64.encodebytes(f"Authorization: {sent}".encode()).decode()),
        "coded": (400, json.dumps({"code": f"2000{token}", "description": token, "data": [sent]})),
    }
    return pages[trick]


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """Serve an application on loopback; yield its base URL."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def echoing_tokens(
    behind: str, tokens: Mapping[str, str]
) -> AsyncIterator[tuple[TokenEchoServer, str]]:
    """Serve a TokenEchoServer, and the target of its redirects, which counts requests."""

    async def elsewhere(request: web.Request) -> web.Response:
        server.shown["elsewhere"] += 1
        return web.Response(text=request.path)

    other, app = web.Application(), web.Application()
    other.router.add_route("*", "/{path:.*}", elsewhere)
    async with serving(other) as there:
        server = TokenEchoServer(behind, tokens, there)
        app.router.add_route("*", "/{path:.*}", server.answer)
        async with serving(app) as here:
            yield server, here
