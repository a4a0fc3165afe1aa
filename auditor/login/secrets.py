"""The secrets that a configuration names: reads them, and writes renewed ones back."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from auditor.login.key_vault import Vault, vault
from auditor.login.refresh_token import Renewable, renewable_file
from auditor.secret import Secret
from auditor.settings import secret_references
from auditor.settings.values import Network


class Secrets:
    """Reads secrets. Its methods block: a secret may be in a vault.

    `seen` is called with each one, so that it can be kept out of the log.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        folder: Path,
        network: Network,
        *,
        seen: Callable[[Secret], None] = lambda _: None,
        key_vault: Vault | None = None,
    ) -> None:
        """`file:` paths are relative to `folder`; `key_vault` replaces this machine's vault."""
        self._environ = environ
        self._folder = folder
        self._network = network
        self.seen = seen
        self._vault = key_vault

    def read(self, reference: str) -> Secret:
        """Return the current secret that a reference names."""
        if secret_references.is_elsewhere(reference):
            found = self._key_vault(reference).read(reference.removeprefix("keyvault:"))
        else:
            found = secret_references.read_secret(reference, self._environ, self._folder)
        self.seen(found)
        return found

    def federated(self) -> Secret:
        """Return the token that the platform wrote for this workload."""
        found = secret_references.read_federated(self._environ)
        self.seen(found)
        return found

    @contextmanager
    def renewable(self, reference: str) -> Iterator[Renewable]:
        """Hold a secret that each use replaces by a newer one."""
        if secret_references.is_elsewhere(reference):
            url = reference.removeprefix("keyvault:")
            yield _RenewableInVault(self.read(reference), self._key_vault(reference), url)
            return
        with renewable_file(secret_references.path_of(reference, self._folder)) as held:
            self.seen(held.secret)
            yield held

    def _key_vault(self, reference: str) -> Vault:
        if self._vault is None:
            secret_references.check_extra(reference)
            self._vault = vault(self._network)
        return self._vault


class _RenewableInVault:
    """A secret in a vault. It cannot be locked there, so only one auditor may use it."""

    def __init__(self, secret: Secret, key_vault: Vault, url: str) -> None:
        self.secret = secret
        self._vault = key_vault
        self._url = url

    def replace(self, newer: Secret) -> None:
        """Write it as the newest version."""
        self._vault.write(self._url, newer)
        self.secret = newer
