"""Secrets in Azure Key Vault: two requests of its REST API, with tokens of azure-identity.

azure-identity finds the machine's own identity: managed identity, workload identity, the AZURE_
variables or `az login`. It is the `azure` extra, loaded only if a secret is in a key vault.
"""

import json
import logging
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from auditor.errors import SettingsError, StoreUnwritable, Unauthorized, Unreachable
from auditor.https import HttpResponse, Https, address
from auditor.secret import Secret
from auditor.settings import problems
from auditor.settings.secret_references import checked
from auditor.settings.values import Network

_VERSION = "7.4"
_OK = 200
_NOT_FOUND = 404
_REFUSALS = frozenset({401, 403})


class Identity(Protocol):
    """The identity that the vault sees: a credential of azure-identity."""

    def get_token(self, scope: str) -> Any:  # Any: its AccessToken; only `token` is read
        """Return a token for the vaults of one cloud."""


class Vault:
    """Reads and writes secrets, named by their URL: `https://VAULT/NAME`."""

    def __init__(self, https: Https, identity: Identity) -> None:
        self._https = https
        self._identity = identity

    def read(self, url: str) -> Secret:
        """Return the newest version of a secret."""
        answer = self._ask("GET", url)
        if answer.status in _REFUSALS:
            raise _refused(url, "get")
        if answer.status == _NOT_FOUND:
            raise SettingsError(
                f"keyvault:{url} does not exist, or is disabled", code=problems.SECRET_MISSING
            )
        value = answer.json().get("value")
        if answer.status != _OK or not isinstance(value, str):
            raise _unexpected(url, answer)
        return checked(value, f"keyvault:{url}", is_there=True)

    def write(self, url: str, secret: Secret) -> None:
        """Make a new version of a secret."""
        body = json.dumps({"value": secret.reveal()}).encode()
        answer = self._ask("PUT", url, body)
        if answer.status in _REFUSALS:
            raise StoreUnwritable(
                f"keyvault:{url}: the renewed token cannot be written back",
                hint="grant `set` on secrets to the auditor's identity, then sign in once more",
            )
        if answer.status != _OK:
            raise _unexpected(url, answer)

    def _ask(self, method: str, url: str, body: bytes | None = None) -> HttpResponse:
        parts = urlsplit(url)
        at = f"https://{parts.netloc}/secrets/{quote(parts.path.strip('/'), safe='')}"
        headers = {
            "Authorization": f"Bearer {self._token(parts.hostname or '')}",
            "Content-Type": "application/json",
        }
        return self._https.send(method, f"{at}?api-version={_VERSION}", headers=headers, body=body)

    def _token(self, host: str) -> str:
        # The audience is the domain of the cloud's vaults: the token is useless on any other host.
        audience = host.partition(".")[2] or host
        try:
            return str(self._identity.get_token(f"https://{audience}/.default").token)
        except Exception as exc:  # noqa: BLE001 - it raises errors of any kind; their text may quote secrets
            raise Unauthorized(
                f"no identity of this machine may ask the key vault {host} ({type(exc).__name__})",
                hint="give it a managed or workload identity, or AZURE_CLIENT_ID and so on",
            ) from None


def vault(network: Network) -> Vault:
    """Return the vault, with this machine's identity."""
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - an extra

    logging.getLogger("azure").addHandler(logging.NullHandler())  # keeps its warnings off stderr
    options: dict[str, Any] = {}  # Any: as azure-core takes them
    if network.proxy:
        options["proxies"] = {"https": network.proxy, "http": network.proxy}
    if network.ca_file:
        options["connection_verify"] = str(network.ca_file)
    identity = DefaultAzureCredential(**options)
    return Vault(Https(proxy=network.proxy, ca_file=network.ca_file), identity)


def _refused(url: str, right: str) -> Unauthorized:
    return Unauthorized(
        f"keyvault:{url} is refused to the auditor's identity",
        hint=f"grant `{right}` on secrets, as the role Key Vault Secrets User does",
    )


def _unexpected(url: str, answer: HttpResponse) -> Unreachable:
    return Unreachable(f"{address(url)}: the key vault answered {answer.status}")
