"""A token server on loopback that behaves as Entra ID's v2 endpoint does, over TLS, with faults."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import trustme
from aiohttp import web
from cryptography import x509

TENANT = "aaaaaaaa-0000-4000-8000-000000000001"
CLIENT = "bbbbbbbb-0000-4000-8000-000000000001"
SECRET = "canary~Secret/of+the=app"
REFRESH = "0.canary-refresh-1"
FEDERATED = "eyJcanary.federated.token"
RESOURCE = "https://api.partnercenter.microsoft.com"
CORRELATION = "cccccccc-0000-4000-8000-000000000001"
_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Refused(Exception):
    """An error reply in the endpoint's format."""

    def __init__(self, status: int, error: str, code: int) -> None:
        self.status = status
        self.body = {
            "error": error,
            "error_description": f"AADSTS{code}: it was {SECRET!r} that was sent. Trace ID: 1",
            "error_codes": [code],
            "correlation_id": CORRELATION,
        }


class Entra:
    """One tenant with one app."""

    def __init__(self) -> None:
        self.base_url = ""
        self.tenants = {TENANT}
        self.resource = RESOURCE
        self.secret = SECRET
        self.certificate: x509.Certificate | None = None
        self.federated = FEDERATED
        self.refresh_token = REFRESH
        self.tokens: Mapping[str, str] = {}
        """Access token by tenant; other tenants get numbered tokens."""
        self.lasts_s: object = 3599
        self.replies: list[web.Response | Refused | asyncio.Event] = []
        """Replies to the next token requests; an event is awaited and then answered with 503."""
        self.asked: Counter[str] = Counter()
        """Number of requests, by path or by grant type."""
        self.assertions: list[dict[str, Any]] = []
        """Headers of the signed assertions."""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", self._configuration)
        app.router.add_post("/{tenant}/oauth2/v2.0/token", self._token)
        app.router.add_route("*", "/{path:.*}", self._unknown)
        return app

    async def _unknown(self, request: web.Request) -> web.Response:
        self.asked[request.path] += 1
        return web.Response(status=404)

    async def _configuration(self, request: web.Request) -> web.Response:
        self.asked["openid-configuration"] += 1
        tenant = request.match_info["tenant"]
        if tenant not in self.tenants:
            return web.json_response(Refused(400, "invalid_tenant", 90002).body, status=400)
        at = f"{self.base_url}/{tenant}"
        return web.json_response(
            {
                "issuer": f"{at}/v2.0",
                "authorization_endpoint": f"{at}/oauth2/v2.0/authorize",
                "token_endpoint": f"{at}/oauth2/v2.0/token",
            }
        )

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.asked[form.get("grant_type", "")] += 1
        try:
            if self.replies:
                reply = self.replies.pop(0)
                match reply:
                    case asyncio.Event():
                        await reply.wait()
                        return web.Response(status=503)
                    case Refused():
                        raise reply
                    case _:
                        return reply
            return web.json_response(self._granted(form, request.match_info["tenant"]))
        except Refused as refusal:
            return web.json_response(refusal.body, status=refusal.status)

    def _granted(self, form: dict[str, str], tenant: str) -> dict[str, object]:
        if form.get("client_id") != CLIENT:
            raise Refused(400, "unauthorized_client", 700016)
        if f"{self.resource}/.default" not in form.get("scope", "").split():
            raise Refused(400, "invalid_scope", 70011)
        self._check_app(form, tenant)
        count = self.asked["client_credentials"] + self.asked["refresh_token"]
        granted: dict[str, object] = {
            "token_type": "Bearer",
            "access_token": self.tokens.get(tenant, f"canary-access-{count}"),
            "expires_in": self.lasts_s,
        }
        if form["grant_type"] == "refresh_token":
            if form.get("refresh_token") != self.refresh_token:
                raise Refused(400, "invalid_grant", 70000)
            self.refresh_token = f"0.canary-refresh-{count + 1}"
            granted["refresh_token"] = self.refresh_token
        return granted

    def _check_app(self, form: dict[str, str], tenant: str) -> None:
        if "client_assertion" not in form:
            if "client_secret" not in form:
                raise Refused(401, "invalid_client", 7000218)
            if form["client_secret"] != self.secret:
                raise Refused(401, "invalid_client", 7000215)
            return
        assertion = form["client_assertion"]
        if form.get("client_assertion_type") != _BEARER:
            raise Refused(401, "invalid_client", 50027)
        if self.certificate is None:
            if assertion != self.federated:
                raise Refused(401, "invalid_client", 700213)
            return
        try:
            header = jwt.get_unverified_header(assertion)
            jwt.decode(
                assertion,
                self.certificate.public_key(),  # type: ignore[arg-type] # an RSA key
                algorithms=["PS256", "RS256"],
                audience=f"{self.base_url}/{tenant}/oauth2/v2.0/token",
                issuer=CLIENT,
                subject=CLIENT,
                options={"require": ["exp", "iss", "sub", "aud", "jti"]},
            )
        except jwt.PyJWTError:
            raise Refused(401, "invalid_client", 700027) from None
        if "x5t#S256" not in header:
            raise Refused(401, "invalid_client", 700027)
        self.assertions.append(header)


class Authority:
    """The test's certificate authority and the TLS contexts of its servers."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.ca_file))

    def context(
        self, *names: str, ca: trustme.CA | None = None, until: datetime | None = None
    ) -> ssl.SSLContext:
        """Return a server's TLS context; by default valid, for `localhost`, by this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued = (ca or self.ca).issue_cert(
            *(names or ("localhost",)),
            not_before=datetime(2020, 1, 1, tzinfo=UTC),
            not_after=until or datetime(2100, 1, 1, tzinfo=UTC),
        )
        issued.configure_cert(context)
        return context


@asynccontextmanager
async def served(app: web.Application, context: ssl.SSLContext) -> AsyncIterator[str]:
    """Serve an application over TLS; yield its address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"https://localhost:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def running(entra: Entra, context: ssl.SSLContext) -> AsyncIterator[Entra]:
    """Serve the token server."""
    async with served(entra.app(), context) as base_url:
        entra.base_url = base_url
        yield entra
