"""Each way to sign in, through msal, against a token server over TLS."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec

from auditor.errors import SettingsError
from auditor.login.sign_in import LOGIN_URL, login_authority
from auditor.partner_center.clouds import CLOUDS, Cloud
from auditor.partner_center.tokens import GivenToken, RenewedToken
from auditor.settings import AuthKind
from tests.builders.entra import FEDERATED, SECRET, Authority, Entra, running
from tests.builders.signing import certificate, keep, login, partner, pem, rsa_key


@pytest_asyncio.fixture
async def entra(tmp_path: Path) -> AsyncIterator[Entra]:
    async with running(Entra(), Authority(tmp_path).context()) as server:
        yield server


@pytest.mark.asyncio
async def test_an_app_signs_in_with_its_secret(entra: Entra, tmp_path: Path) -> None:
    app = partner(AuthKind.APP, client_secret="env:S")

    grant = await login(app, tmp_path, entra.base_url).fetch()

    assert (grant.token.reveal(), grant.lasts_s) == ("canary-access-1", 3599)
    assert entra.asked == {"openid-configuration": 1, "client_credentials": 1}


@pytest.mark.asyncio
async def test_an_app_signs_in_with_a_certificate(entra: Entra, tmp_path: Path) -> None:
    key = rsa_key()
    entra.certificate = certificate(key)
    keep(tmp_path, pem(key, entra.certificate), "app.pem")
    app = partner(AuthKind.APP, certificate="file:app.pem")

    grant = await login(app, tmp_path, entra.base_url).fetch()

    assert grant.token.reveal() == "canary-access-1"
    assert len(entra.assertions) == 1


@pytest.mark.asyncio
async def test_a_certificate_is_rsa_and_has_no_passphrase(entra: Entra, tmp_path: Path) -> None:
    """An unusable PEM is reported before any request."""
    key, other, curve = rsa_key(), rsa_key(), ec.generate_private_key(ec.SECP256R1())
    cases = {
        "holds no certificate": pem(key, None),
        "holds no private key": pem(None, certificate(key)),
        "has a passphrase": pem(key, certificate(key), b"canary"),
        "is not RSA": pem(curve, certificate(curve)),
        "does not belong to its key": pem(key, certificate(other)),
        "app.pem holds no certificate": "not PEM at all",
    }
    app = partner(AuthKind.APP, certificate="file:app.pem")
    for message, content in cases.items():
        keep(tmp_path, content, "app.pem")
        with pytest.raises(SettingsError, match=message) as caught:
            await login(app, tmp_path, entra.base_url).fetch()
        assert "PRIVATE" not in caught.value.message
    assert not entra.asked


@pytest.mark.asyncio
async def test_a_workload_reads_its_token_file_each_time(entra: Entra, tmp_path: Path) -> None:
    """The kubelet replaces the file and sets its mode, so any mode is accepted."""
    file = tmp_path / "federated"
    workload = partner(AuthKind.WORKLOAD_IDENTITY)
    signing = login(workload, tmp_path, entra.base_url, AZURE_FEDERATED_TOKEN_FILE=str(file))
    for entra.federated in (FEDERATED, "a newer one"):
        file.write_text(entra.federated)
        file.chmod(0o644)
        assert await signing.fetch()
    assert entra.asked["client_credentials"] == 2


@pytest.mark.asyncio
async def test_a_forced_token_is_another_one(entra: Entra, tmp_path: Path) -> None:
    """P22: the new token does not come from a cache of msal."""
    signing = login(partner(AuthKind.APP, client_secret="env:S"), tmp_path, entra.base_url)
    source = await signing.tokens()

    first = await source.token()
    newer = await source.refreshed(first)

    assert newer is not None
    assert first != newer
    assert entra.asked["client_credentials"] == 2


@pytest.mark.asyncio
async def test_fifty_waiters_cost_one_request(entra: Entra, tmp_path: Path) -> None:
    """P22: the server counts the requests."""
    signing = login(partner(AuthKind.APP, client_secret="env:S"), tmp_path, entra.base_url)
    source = await signing.tokens()
    assert isinstance(source, RenewedToken)

    tokens = await asyncio.gather(*(source.token() for _ in range(50)))
    newer = await asyncio.gather(*(source.refreshed(tokens[0]) for _ in range(50)))

    assert {t.reveal() for t in tokens} == {"canary-access-1"}
    assert {t.reveal() for t in newer if t} == {"canary-access-2"}
    assert entra.asked["client_credentials"] == 2


@pytest.mark.asyncio
async def test_the_event_loop_is_not_blocked_during_a_sign_in(entra: Entra, tmp_path: Path) -> None:
    """The server runs in the same event loop, so it could not answer if the loop were blocked."""
    held = asyncio.Event()
    entra.replies = [held]
    signing = login(partner(AuthKind.APP, client_secret="env:S"), tmp_path, entra.base_url)

    waiting = asyncio.create_task(signing.fetch())
    while not entra.asked["client_credentials"]:  # noqa: ASYNC110 - the server only counts
        await asyncio.sleep(0)
    assert not waiting.done()
    held.set()
    assert (await waiting).token.reveal() == "canary-access-2"


@pytest.mark.asyncio
async def test_a_secret_that_was_changed_is_read_again(entra: Entra, tmp_path: Path) -> None:
    keep(tmp_path, SECRET, "secret")
    signing = login(partner(AuthKind.APP, client_secret="file:secret"), tmp_path, entra.base_url)
    await signing.fetch()

    entra.secret = "another secret"
    keep(tmp_path, entra.secret, "secret")

    assert await signing.fetch()


@pytest.mark.asyncio
async def test_a_given_token_needs_no_request(entra: Entra, tmp_path: Path) -> None:
    source = await login(partner(AuthKind.TOKEN, token="env:S"), tmp_path, entra.base_url).tokens()

    assert isinstance(source, GivenToken)
    assert (await source.token()).reveal() == SECRET
    assert not entra.asked


@pytest.mark.asyncio
@pytest.mark.parametrize("cloud", list(Cloud))
async def test_the_token_is_for_the_cloud_s_partner_center(
    entra: Entra, tmp_path: Path, cloud: Cloud
) -> None:
    """Whatever `base_url` is: a sandbox accepts tokens of the real service."""
    app = msgspec.structs.replace(
        partner(AuthKind.APP, client_secret="env:S", base_url="http://127.0.0.1:8080"),
        cloud=cloud,
    )
    entra.resource = CLOUDS[cloud].base_url

    assert await login(app, tmp_path, entra.base_url).fetch()
    assert login_authority(app, {}) == CLOUDS[cloud].login_authority


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "localhost",
        "https://",
        "https://user@host",
        "https://host/tenant",
        "https://[::1",
    ],
)
def test_another_login_must_be_https_and_only_a_host(url: str) -> None:
    """S4: secrets are sent to this URL."""
    with pytest.raises(SettingsError, match=LOGIN_URL):
        login_authority(partner(AuthKind.APP), {LOGIN_URL: url})
