"""Endpoints that control the sandbox from another process; they are not part of the API.

They need no token: the sandbox listens on loopback and holds only made-up data.
"""

import re
from collections.abc import Callable

import msgspec
from aiohttp import web

from auditor.sandbox.server.service import Service
from auditor.sandbox.world.model import Partner
from auditor.sandbox.world.world import World


class _Night(msgspec.Struct, forbid_unknown_fields=True):
    night: int


class Control:
    """Handlers of /_sandbox/: log, expected rows (truth), night and configuration."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/_sandbox/log", self.log)
        app.router.add_get("/_sandbox/truth/inventory", self.inventory)
        app.router.add_get("/_sandbox/truth/availability", self.availability)
        app.router.add_get("/_sandbox/night", self.read_night)
        app.router.add_post("/_sandbox/night", self.set_night)
        app.router.add_get("/_sandbox/config", self.config)

    async def log(self, _: web.Request) -> web.Response:
        return _json(self._service.log.records)

    async def inventory(self, request: web.Request) -> web.Response:
        night, since = self._nights(request)
        return _json(list(self._service.world.inventory_truth(night, since)))

    async def availability(self, request: web.Request) -> web.Response:
        night, since = self._nights(request)
        return _json(list(self._service.world.availability_truth(night, since)))

    async def read_night(self, _: web.Request) -> web.Response:
        return _json({"night": self._service.world.night})

    async def set_night(self, request: web.Request) -> web.Response:
        try:
            wanted = msgspec.json.decode(await request.read(), type=_Night)
            self._service.world.night = wanted.night
        except (msgspec.DecodeError, ValueError) as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        return _json({"night": wanted.night})

    async def config(self, request: web.Request) -> web.Response:
        text = config_text(self._service.world, str(request.url.origin()), environment_token)
        return web.Response(text=text, content_type="application/toml")

    def _nights(self, request: web.Request) -> tuple[int, int | None]:
        """Return the parameters `night` (default: the current one) and `since`."""
        try:
            night = int(request.query.get("night", self._service.world.night))
            since = int(request.query["since"]) if "since" in request.query else None
            if night < 1 or (since is not None and since < 1):
                raise web.HTTPBadRequest(text="nights are counted from 1\n")
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        return night, since


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


def environment_token(partner: Partner) -> str:
    """Return the secret reference of a partner's token in the generated configuration."""
    name = re.sub(r"[^A-Z0-9]+", "_", partner.name.upper())
    return f"env:AUDITOR_SANDBOX_TOKEN_{name}"


def _toml(value: str | tuple[str, ...]) -> str:
    """Return a text or a list of texts as TOML; for these, JSON is valid TOML."""
    return msgspec.json.encode(value).decode()


def config_text(world: World, base_url: str, token_reference: Callable[[Partner], str]) -> str:
    """Return an `auditor.toml` for this world; `token_reference` gives each partner's `token`."""
    head = 'store = "./lake"\nstate_dir = "./state"\n'
    partners = (
        f"""
[[partner]]
name = {_toml(partner.name)}
tenant_id = {_toml(partner.partner_tenant_id)}
countries = {_toml(partner.countries)}
auth = "token"
token = {_toml(token_reference(partner))}
base_url = {_toml(base_url)}

[partner.limits]
customers = 60000
catalog = 60000
inventory = 60000
per_customer = 6000
concurrency = 64
shared = "none"
"""
        for partner in world.partners()
    )
    cache = """
[cache]  # sandbox nights are minutes apart, so every listing is requested again
subscriptions = 0
catalog = 0
billing_country = 0
"""
    return head + "".join(partners) + cache
