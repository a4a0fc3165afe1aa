"""The web application, and a sandbox that serves it on loopback."""

import asyncio
import time
from typing import Self

from aiohttp import web

from auditor.sandbox.server.control import Control
from auditor.sandbox.server.faults import Faults
from auditor.sandbox.server.limits import ServerLimits
from auditor.sandbox.server.log import Log
from auditor.sandbox.server.service import Clock, Service, Sleep
from auditor.sandbox.world.world import World

HOST = "127.0.0.1"

LARGEST_BODY = 16 * 1024 * 1024
"""Largest request body in bytes: a check may target thousands of SKUs."""

STOPS_WITHIN_S = 0.2
"""Replies that are still pending after this time, such as delayed ones, are dropped."""

SERVICE = web.AppKey("SERVICE", Service)
"""Key of the service in its application."""


def create_app(
    world: World,
    *,
    faults: Faults | None = None,
    limits: ServerLimits | None = None,
    clock: Clock = time.monotonic,
    sleep: Sleep = asyncio.sleep,
) -> web.Application:
    """Return the sandbox as an application that any aiohttp server can run."""
    service = Service(world, faults or Faults(), limits or ServerLimits(), clock, sleep)
    app = web.Application(client_max_size=LARGEST_BODY)
    app[SERVICE] = service
    Control(service).add_to(app)
    app.router.add_route("*", "/{path:.*}", service.handle)
    return app


class Sandbox:
    """A Partner Center on 127.0.0.1, inside the running event loop.

        async with Sandbox(World(seed=1)) as sandbox:
            ...  # send requests to sandbox.base_url, then check sandbox.log

    `faults` and `limits` can be replaced while it runs. Port 0 means any free port.
    """

    def __init__(
        self,
        world: World,
        port: int = 0,
        *,
        faults: Faults | None = None,
        limits: ServerLimits | None = None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.app = create_app(world, faults=faults, limits=limits, clock=clock, sleep=sleep)
        self._service = self.app[SERVICE]
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=STOPS_WITHIN_S)
        self._wanted_port = port
        self.base_url = ""
        """Set while it runs; ends before /v1."""

    @property
    def world(self) -> World:
        return self._service.world

    @property
    def log(self) -> Log:
        return self._service.log

    @property
    def faults(self) -> Faults:
        return self._service.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._service.faults = faults

    @property
    def limits(self) -> ServerLimits:
        return self._service.limiter.limits

    @limits.setter
    def limits(self, limits: ServerLimits) -> None:
        self._service.limiter.limits = limits

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, self._wanted_port).start()
        except BaseException:
            await self._runner.cleanup()
            raise
        port = self._runner.addresses[0][1]
        self.base_url = f"http://{HOST}:{port}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._runner.cleanup()
