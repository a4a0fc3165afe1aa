"""The report, full of hostile names, in a real browser: nothing in it runs, nothing is fetched."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from auditor.report import html
from tests.builders.report_lake import two_nights

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src={here}/image>",
    "</style></title></textarea></script><script src={here}/script></script>",
    "\"><svg onload='alert(1)'>",
    "' autofocus onfocus='alert(1)",
    "</style><style>*{{background:url({here}/style)}}</style>",
    "<iframe src={here}/frame></iframe><object data={here}/object></object>",
    "<link rel=stylesheet href={here}/sheet><video poster={here}/poster></video>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "<form action={here}/form><button autofocus>",
    "<base href={here}/>",
    "]]><a href=javascript:alert(1)>x</a>",
    "<!--",
)
"""The last two would hide the text after them; within `<svg>` a script has no `src`."""


class Browser:
    """A page of a headless browser, driven through the debugging protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._sent = 0
        self.dialogs: list[str] = []
        self.requests: list[str] = []

    async def ask(self, method: str, **params: object) -> dict[str, Any]:
        """Send a command and return its result; record the events that arrive meanwhile."""
        self._sent += 1
        await self._socket.send_json({"id": self._sent, "method": method, "params": params})
        return await self._until(lambda message: message.get("id") == self._sent)

    async def show(self, url: str) -> None:
        """Load a page, and wait until the requests that it started have begun."""
        self.dialogs.clear()
        self.requests.clear()
        await self.ask("Page.navigate", url=url)
        await self._until(lambda message: message.get("method") == "Page.loadEventFired")
        for _ in range(3):  # the page answers each after everything it had queued before
            await self.ask("Runtime.evaluate", expression="1")

    async def _until(self, matches: Any) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = await self._socket.receive_json()
            match message.get("method"):
                case "Page.javascriptDialogOpening":
                    self.dialogs.append(message["params"]["message"])
                    await self._socket.send_json(
                        {
                            "id": 0,
                            "method": "Page.handleJavaScriptDialog",
                            "params": {"accept": True},
                        }
                    )
                case "Network.requestWillBeSent":
                    self.requests.append(message["params"]["request"]["url"])
                case _:
                    pass
            if matches(message):
                return message


@pytest_asyncio.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs a Chromium: none is installed here")
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", "--remote-debugging-port=0"),
        f"--user-data-dir={tmp_path}/profile",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async for line in process.stderr:
            if line.startswith(b"DevTools listening on ws://"):
                break
        at = line.decode().removeprefix("DevTools listening on ws://").partition("/")[0]
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{at}/json/list") as listed,
            session.ws_connect((await listed.json())[0]["webSocketDebuggerUrl"]) as socket,
        ):
            page = Browser(socket)
            for domain in ("Page", "Network", "Runtime"):
                await page.ask(f"{domain}.enable")
            yield page
    finally:
        process.kill()
        await process.communicate()


@asynccontextmanager
async def serving(pages: dict[str, str]) -> AsyncIterator[str]:
    """Serve these pages, and an empty page for any other path."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=pages.get(request.path, ""), content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.asyncio
async def test_a_report_of_hostile_names_runs_and_fetches_nothing(
    browser: Browser, tmp_path: Path
) -> None:
    """S7: 0 dialogs and 0 requests; a page with the same names unescaped has many."""
    pages: dict[str, str] = {}
    async with serving(pages) as here:
        payloads = [payload.format(here=here) for payload in PAYLOADS]
        unescaped = "".join(payloads)
        pages["/open"] = f"<!DOCTYPE html><title>x</title><p>{unescaped}"
        await browser.show(f"{here}/open")
        assert browser.dialogs
        assert {f"{here}/{name}" for name in ("image", "script")} <= {
            url.rstrip("/") for url in browser.requests
        }

        for number, names in enumerate((unescaped, "".join(reversed(payloads)))):
            folder = tmp_path / str(number)
            folder.mkdir()
            pages["/report"] = html.report(two_nights(folder, names))
            await browser.show(f"{here}/report")
            assert browser.dialogs == []
            assert [url for url in browser.requests if not url.endswith("/favicon.ico")] == [
                f"{here}/report"
            ]
            shown = await browser.ask("Runtime.evaluate", expression="document.body.innerText")
            assert "<script>alert(1)</script>" in shown["result"]["result"]["value"]
