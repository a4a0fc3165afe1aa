"""Takes pictures of the dashboard in a browser that has signed in."""

import asyncio
import base64
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import requests

from tests.bi.throwaway_superset import BIN, USER, Superset
from tests.end_to_end.test_report_browser import CHROMIUM, Browser

WIDTH, HEIGHT = 1400, 3000
"""High enough for the whole dashboard: charts outside the window are not drawn."""
PARTS = {"superset-dashboard.png": (0, 0, 1225), "superset-details.png": (260, 1225, 2520)}
"""Left edge, top and bottom of each picture."""
_LOADING = (
    "document.querySelectorAll('.dashboard-component-chart-holder').length + ' ' +"
    " document.querySelectorAll('.dashboard-component-chart-holder .loading').length + ' ' +"
    " document.querySelectorAll('.dashboard-component-chart-holder canvas,"
    " .dashboard-component-chart-holder table, .dashboard-component-chart-holder .header-line,"
    " .dashboard-component-chart-holder .ant-empty').length"
)
_SMALLER = (
    "import sys; from PIL import Image; path = sys.argv[1]; "
    "Image.open(path).convert('RGB').quantize(128, dither=0).save(path, optimize=True)"
)


def take(superset: Superset, into: Path, scratch: Path, charts: int) -> tuple[Path, ...]:
    """Write pictures of the dashboard's two halves; none if there is no Chromium."""
    if CHROMIUM is None:
        return ()
    into.mkdir(parents=True, exist_ok=True)
    shots = asyncio.run(_shots(superset, scratch, charts))
    for name, shot in shots.items():
        (into / name).write_bytes(shot)
        subprocess.run([str(BIN / "python"), "-c", _SMALLER, str(into / name)], check=True)
    return tuple(into / name for name in shots)


async def _shots(superset: Superset, scratch: Path, charts: int) -> dict[str, bytes]:
    async with _browsing(scratch) as browser:
        await browser.ask("Network.setCookie", **_signed_in(superset))
        screen = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        await browser.ask("Emulation.setDeviceMetricsOverride", **screen)
        await browser.show(f"{superset.url}/superset/dashboard/sku-restrictions/?standalone=1")
        await _drawn(browser, charts)
        found = {}
        for name, (left, top, bottom) in PARTS.items():
            clip = {"x": left, "y": top, "width": WIDTH - left, "height": bottom - top}
            shot = await browser.ask(
                "Page.captureScreenshot", format="png", clip=clip | {"scale": 1}
            )
            found[name] = base64.b64decode(shot["result"]["data"])
        return found


def _signed_in(superset: Superset) -> dict[str, object]:
    with requests.Session() as asking:
        form = {"username": USER, "password": superset.password}
        asking.post(f"{superset.url}/login/", data=form, timeout=60).raise_for_status()
        return {"name": "session", "value": asking.cookies["session"], "url": superset.url}


async def _drawn(browser: Browser, charts: int) -> None:
    """Poll until every chart has drawn something; the browser has no event for it."""
    counts = ""
    for _ in range(240):
        found = await browser.ask("Runtime.evaluate", expression=_LOADING)
        counts = found["result"]["result"].get("value", "")
        if counts:
            there, loading, drawn = map(int, counts.split())
            if there == charts and not loading and drawn >= charts:
                await asyncio.sleep(2)  # wait for the animation of the bars
                return
        await asyncio.sleep(0.5)
    print(f"pictures: not all charts were drawn (present, loading, drawn): {counts}")


@asynccontextmanager
async def _browsing(scratch: Path) -> AsyncIterator[Browser]:
    assert CHROMIUM
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--hide-scrollbars", "--remote-debugging-port=0", f"--user-data-dir={scratch}/profile"),
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
            session.ws_connect(
                (await listed.json())[0]["webSocketDebuggerUrl"], max_msg_size=0
            ) as socket,
        ):
            page = Browser(socket)
            for domain in ("Page", "Network", "Runtime"):
                await page.ask(f"{domain}.enable")
            yield page
    finally:
        process.kill()
        await process.communicate()
