"""Secrets in a key vault: a server that speaks its REST API, over TLS."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytest_asyncio
from aiohttp import web

from auditor.errors import AuditorError, SettingsError, StoreUnwritable, Unauthorized, Unreachable
from auditor.https import Https
from auditor.login.key_vault import Vault, vault
from auditor.secret import Secret
from auditor.settings import AuthKind, Network
from tests.builders.entra import REFRESH, SECRET, Authority, Entra, running, served
from tests.builders.signing import login, partner


class FakeVault:
    """A key vault that keeps each version of a secret, and records its requests."""

    def __init__(self) -> None:
        self.base_url = ""
        self.versions: dict[str, list[str]] = {"app": [SECRET], "refresh": [REFRESH]}
        self.status = 200
        self.refused_writes = False
        self.asked: list[tuple[str, str, str]] = []

    async def handle(self, request: web.Request) -> web.Response:
        bearer = request.headers.get("Authorization", "")
        self.asked.append((request.method, request.path_qs, bearer))
        found = self.versions.get(request.match_info["name"])
        is_write = request.method == "PUT"
        if self.status != 200 or (is_write and self.refused_writes):
            status = 403 if is_write and self.refused_writes else self.status
            return web.json_response({"error": {"message": SECRET}}, status=status)
        if is_write:
            found = self.versions.setdefault(request.match_info["name"], [])
            found.append((await request.json())["value"])
        if not found:
            return web.json_response({"error": {"code": "SecretNotFound"}}, status=404)
        return web.json_response({"value": found[-1], "id": "…"})


class Identity:
    """This machine's identity, without a cloud."""

    def __init__(self) -> None:
        self.scopes: list[str] = []

    def get_token(self, scope: str) -> SimpleNamespace:
        self.scopes.append(scope)
        return SimpleNamespace(token="of-the-identity")


class NoIdentity:
    def get_token(self, scope: str) -> SimpleNamespace:
        raise RuntimeError(f"{scope} {SECRET}")


@pytest_asyncio.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeVault]:
    made = FakeVault()
    app = web.Application()
    app.router.add_route("*", "/secrets/{name}", made.handle)
    async with served(app, Authority(tmp_path).context()) as made.base_url:
        yield made


def opened(folder: Path, identity: Identity | NoIdentity | None = None) -> Vault:
    return Vault(Https(ca_file=folder / "ca.pem"), identity or Identity())


@pytest.mark.asyncio
async def test_a_secret_is_read_and_replaced(fake: FakeVault, tmp_path: Path) -> None:
    identity = Identity()
    key_vault = opened(tmp_path, identity)
    url = f"{fake.base_url}/app"

    assert (await asyncio.to_thread(key_vault.read, url)).reveal() == SECRET
    await asyncio.to_thread(key_vault.write, url, Secret("newer"))
    assert (await asyncio.to_thread(key_vault.read, url)).reveal() == "newer"

    assert {(path, bearer) for _, path, bearer in fake.asked} == {
        ("/secrets/app?api-version=7.4", "Bearer of-the-identity")
    }
    assert set(identity.scopes) == {"https://localhost/.default"}


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        ("contoso.vault.azure.net", "https://vault.azure.net/.default"),
        ("contoso.vault.usgovcloudapi.net", "https://vault.usgovcloudapi.net/.default"),
        ("contoso.vault.azure.cn", "https://vault.azure.cn/.default"),
    ],
)
def test_the_token_is_for_the_vaults_of_that_cloud(tmp_path: Path, host: str, scope: str) -> None:
    """So another host never gets a token that a vault would accept."""
    Authority(tmp_path)
    identity = Identity()
    with pytest.raises(Unreachable):
        opened(tmp_path, identity).read(f"https://{host}.invalid/app")
    assert identity.scopes == [scope.replace("/.default", ".invalid/.default")]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (401, Unauthorized, "is refused to the auditor's identity"),
        (403, Unauthorized, "is refused to the auditor's identity"),
        (404, SettingsError, "does not exist"),
        (429, Unreachable, "answered 429"),
        (500, Unreachable, "answered 500"),
    ],
)
async def test_a_refusal_of_the_vault_is_reported(
    fake: FakeVault, tmp_path: Path, status: int, error: type[AuditorError], message: str
) -> None:
    fake.status = status
    with pytest.raises(error, match=message) as caught:
        await asyncio.to_thread(opened(tmp_path).read, f"{fake.base_url}/app")
    assert SECRET not in f"{caught.value} {caught.value.hint}"


@pytest.mark.asyncio
async def test_an_empty_secret_is_an_error(fake: FakeVault, tmp_path: Path) -> None:
    fake.versions["app"] = [" "]
    with pytest.raises(SettingsError, match="is empty"):
        await asyncio.to_thread(opened(tmp_path).read, f"{fake.base_url}/app")


@pytest.mark.asyncio
async def test_a_machine_without_an_identity_is_reported(fake: FakeVault, tmp_path: Path) -> None:
    with pytest.raises(Unauthorized, match="no identity of this machine") as caught:
        await asyncio.to_thread(opened(tmp_path, NoIdentity()).read, f"{fake.base_url}/app")
    assert SECRET not in str(caught.value)
    assert not fake.asked


@pytest.mark.asyncio
async def test_a_partner_signs_in_with_secrets_of_a_vault(fake: FakeVault, tmp_path: Path) -> None:
    """The renewed refresh token becomes a new version."""
    user = partner(
        AuthKind.APP_USER,
        client_secret=f"keyvault:{fake.base_url}/app",
        refresh_token=f"keyvault:{fake.base_url}/refresh",
    )
    key_vault = opened(tmp_path)
    async with running(Entra(), Authority(tmp_path).context()) as entra:
        signing = login(user, tmp_path, entra.base_url, key_vault=key_vault)
        await signing.fetch()
        assert fake.versions["refresh"] == [REFRESH, entra.refresh_token]

        fake.refused_writes = True
        with pytest.raises(StoreUnwritable, match="cannot be written back") as caught:
            await signing.fetch()
    assert caught.value.exit_status == 73


@pytest.mark.asyncio
async def test_the_identity_of_the_machine_comes_from_azure_identity(
    tmp_path: Path, fake: FakeVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real package, on a machine without Azure: the error says that it found no identity."""
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
    found = vault(Network(ca_file=tmp_path / "ca.pem"))
    with pytest.raises(Unauthorized, match="no identity"):
        await asyncio.to_thread(found.read, f"{fake.base_url}/app")
