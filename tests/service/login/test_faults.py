"""A fault of a token endpoint becomes an error that says what to fix, and shows no secret."""

import asyncio
import base64
import socket
import ssl
import traceback
import urllib.parse
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import trustme
from aiohttp import web

from auditor.errors import (
    AuditorError,
    SettingsError,
    Throttled,
    Unauthorized,
    Unreachable,
    Untrusted,
)
from auditor.login.aadsts import MEANINGS
from auditor.settings import AuthKind, Network
from tests.builders.entra import SECRET, Authority, Entra, Refused, running
from tests.builders.signing import certificate, keep, login, partner, pem, rsa_key

APP = partner(AuthKind.APP, client_secret="env:S")


@pytest_asyncio.fixture
async def entra(tmp_path: Path) -> AsyncIterator[Entra]:
    async with running(Entra(), Authority(tmp_path).context()) as server:
        yield server


@pytest.fixture(autouse=True)
def no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """S1: msal logs replies that it cannot read."""
    yield
    assert not [each for each in caplog.get_records("call") if "canary" in each.getMessage()]


def check_hides_its_secrets(error: AuditorError) -> None:
    """S1: raw, base64 or URL-encoded; in message, hint, repr and traceback."""
    shown = f"{error} {error!r} {error.hint} {''.join(traceback.format_exception(error))}"
    for form in (
        SECRET,
        urllib.parse.quote(SECRET, safe=""),
        urllib.parse.quote_plus(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        "canary",
    ):
        assert form not in shown


@pytest.mark.asyncio
@pytest.mark.parametrize("code", [*MEANINGS, 999999])
async def test_a_refusal_names_its_code_and_what_to_fix(
    entra: Entra, tmp_path: Path, code: int
) -> None:
    """S1: E_AUTH with exit status 77, after one request: a refused credential is not retried."""
    entra.replies = [Refused(401, "invalid_client", code)]

    with pytest.raises(Unauthorized) as caught:
        await login(APP, tmp_path, entra.base_url).fetch()

    assert (caught.value.error_code, caught.value.exit_status) == ("E_AUTH", 77)
    assert f"invalid_client AADSTS{code}" in caught.value.message
    assert caught.value.hint
    assert entra.asked["client_credentials"] == 1
    check_hides_its_secrets(caught.value)


@pytest.mark.asyncio
async def test_refusals_by_the_server_itself_are_reported(entra: Entra, tmp_path: Path) -> None:
    cases = {
        "AADSTS7000215: the client secret is wrong": partner(AuthKind.APP, client_secret="env:X"),
        "AADSTS7000218: no client secret": partner(AuthKind.APP_USER, refresh_token="file:refresh"),
        "AADSTS700016: the app is not found": partner(
            AuthKind.APP, client_secret="env:S", client_id="bbbbbbbb-0000-4000-8000-000000000002"
        ),
        "AADSTS90002: the tenant is not found": partner(
            AuthKind.APP, client_secret="env:S", tenant_id="aaaaaaaa-0000-4000-8000-00000000000f"
        ),
    }
    wrong = f"{SECRET}-wrong"
    keep(tmp_path)
    for message, refused in cases.items():
        with pytest.raises(Unauthorized, match=message) as caught:
            await login(refused, tmp_path, entra.base_url, X=wrong).fetch()
        check_hides_its_secrets(caught.value)


@pytest.mark.asyncio
async def test_a_certificate_of_another_app_is_refused(entra: Entra, tmp_path: Path) -> None:
    ours, theirs = rsa_key(), rsa_key()
    entra.certificate = certificate(theirs)
    app = partner(AuthKind.APP, certificate="env:PEM")
    signing = login(app, tmp_path, entra.base_url, PEM=pem(ours, certificate(ours)))
    with pytest.raises(Unauthorized, match="AADSTS700027"):
        await signing.fetch()


def replied(status: int, text: str = "") -> Callable[[], web.Response]:
    return lambda: web.Response(status=status, text=text, headers={"Location": "https://evil.test"})


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (replied(500, "canary"), Unreachable, "answered 500"),
        (replied(503), Unreachable, "answered 503"),
        (replied(429), Throttled, "answered 429"),
        (replied(200, "<html>canary"), Unreachable, "no token endpoint"),
        (replied(200, "{}"), Unreachable, "no token endpoint"),
        (replied(200, '["canary"]'), Unreachable, "no token endpoint"),
        (replied(200, '{"access_token": "canary"}'), Unreachable, "no token endpoint"),
        (replied(200, '{"access_token": "c\\nx", "expires_in": 9}'), Unreachable, "no token"),
        (replied(200, '{"access_token": "x", "expires_in": "NaN"}'), Unreachable, "no token"),
        (replied(200, '{"access_token": "x", "expires_in": -1}'), Unreachable, "no token"),
        (replied(403, '{"message": "canary"}'), Unreachable, "no token endpoint"),
        (replied(307, "{}"), Unreachable, "no token endpoint"),
        (replied(200, "x" * (2 << 20)), Unreachable, "cut"),
    ],
)
async def test_a_reply_without_a_token_is_tried_three_times(
    entra: Entra,
    tmp_path: Path,
    reply: Callable[[], web.Response],
    error: type[AuditorError],
    message: str,
) -> None:
    """S2 and P18: no redirect is followed, and each attempt is counted."""
    entra.replies = [reply(), reply(), reply(), reply()]
    signing = login(APP, tmp_path, entra.base_url)

    with pytest.raises(error, match=message) as caught:
        await signing.fetch()

    assert len(entra.replies) == 1
    assert signing.failure is caught.value
    check_hides_its_secrets(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize("error", ["temporarily_unavailable", "server_error"])
async def test_a_passing_fault_is_retried(entra: Entra, tmp_path: Path, error: str) -> None:
    entra.replies = [Refused(400, error, 90033), Refused(400, "invalid_request", 90033)]
    signing = login(APP, tmp_path, entra.base_url)

    assert await signing.fetch()
    assert signing.failure is None


@pytest.mark.asyncio
async def test_a_login_that_does_not_answer_in_time_is_unreachable(
    entra: Entra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P21."""
    monkeypatch.setattr("auditor.https.SILENCE_S", 0.05)
    held = asyncio.Event()
    entra.replies = [held, held, held]
    with pytest.raises(Unreachable, match=r"localhost:\d+: no answer in time"):
        await login(APP, tmp_path, entra.base_url).fetch()
    held.set()


@pytest.mark.asyncio
async def test_a_port_without_a_server_is_unreachable(tmp_path: Path) -> None:
    Authority(tmp_path)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with pytest.raises(Unreachable, match=f"127.0.0.1:{port}: the connection is refused"):
            await login(APP, tmp_path, f"https://127.0.0.1:{port}").fetch()


@pytest.mark.asyncio
async def test_an_unknown_host_name_is_unreachable(tmp_path: Path) -> None:
    """Row 17."""
    Authority(tmp_path)
    with pytest.raises(Unreachable, match=r"login\.invalid:443: the name cannot be resolved"):
        await login(APP, tmp_path, "https://login.invalid").fetch()


def self_signed(_: Authority, folder: Path) -> ssl.SSLContext:
    key = rsa_key()
    file = folder / "self.pem"
    file.write_text(pem(key, certificate(key)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def expired(authority: Authority, _: Path) -> ssl.SSLContext:
    return authority.context(until=datetime(2021, 1, 1, tzinfo=UTC))


def other_host(authority: Authority, _: Path) -> ssl.SSLContext:
    return authority.context("login.example")


def other_ca(authority: Authority, _: Path) -> ssl.SSLContext:
    return authority.context(ca=trustme.CA())


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("made", "message"),
    [
        (expired, "certificate has expired"),
        (other_host, "Hostname mismatch"),
        (other_ca, "unable to get local issuer certificate"),
        (self_signed, "self-signed certificate"),
    ],
)
async def test_a_server_with_a_bad_certificate_gets_no_secret(
    tmp_path: Path, made: Callable[[Authority, Path], ssl.SSLContext], message: str
) -> None:
    """Row 18: the error names the failed check, and nothing is retried."""
    entra = Entra()
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    async with running(entra, made(Authority(tmp_path), tmp_path)):
        signing = login(APP, tmp_path, entra.base_url, sleep=wait)
        with pytest.raises(Untrusted, match=rf"localhost:\d+: TLS: .*{message}"):
            await signing.fetch()
    assert not entra.asked
    assert not waits


@pytest.mark.asyncio
async def test_old_tls_is_refused(tmp_path: Path) -> None:
    """S5."""
    context = Authority(tmp_path).context()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with running(Entra(), context) as entra:
        with pytest.raises(Unreachable):  # the connection is closed, with or without a TLS alert
            await login(APP, tmp_path, entra.base_url).fetch()
        assert not entra.asked


@pytest.mark.asyncio
async def test_only_certificates_of_the_configuration_are_trusted(
    entra: Entra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment adds no certificate and no proxy."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(Untrusted):
        await login(APP, tmp_path, entra.base_url, network=Network()).fetch()
    assert await login(APP, tmp_path, entra.base_url).fetch()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_without_a_certificate_is_reported(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=r"network\.ca_file .*ca\.pem"):
        login(APP, tmp_path, "https://localhost")


@pytest.mark.asyncio
async def test_the_login_is_reached_through_the_proxy(entra: Entra, tmp_path: Path) -> None:
    """The proxy gets its password, and no message shows it."""
    seen: list[tuple[str, str]] = []

    async def refuse(request: web.BaseRequest) -> web.Response:
        seen.append((request.method, request.headers.get("Proxy-Authorization", "")))
        return web.Response(status=407)

    server = web.Server(refuse)
    runner = web.ServerRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        proxy = f"http://me:canary%40@127.0.0.1:{runner.addresses[0][1]}"
        network = Network(ca_file=tmp_path / "ca.pem", proxy=proxy)
        with pytest.raises(Unreachable, match="the proxy") as caught:
            await login(APP, tmp_path, entra.base_url, network=network).fetch()
    finally:
        await runner.cleanup()
    sent = base64.b64encode(b"me:canary@").decode()
    assert set(seen) == {("CONNECT", f"Basic {sent}")}
    assert not entra.asked
    check_hides_its_secrets(caught.value)


@pytest.mark.asyncio
async def test_no_other_host_is_asked(
    entra: Entra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No host is asked whether the login is Microsoft's, and none for a region of Azure."""
    monkeypatch.setenv("MSAL_FORCE_REGION", "westeurope")
    monkeypatch.setenv("REGION_NAME", "westeurope")
    asked: list[str] = []
    real = socket.getaddrinfo

    def noted(host: str, *rest: Any, **more: Any) -> Any:
        asked.append(host)
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", noted)
    assert await login(APP, tmp_path, entra.base_url).fetch()
    assert set(asked) == {"localhost"}
