"""Signs a partner in: from its configuration to the tokens of its requests."""

import asyncio
import math
import random as randomness
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from auditor.errors import Retryable, SettingsError, Untrusted
from auditor.https import Https
from auditor.login.secrets import Secrets
from auditor.login.token_endpoint import Assertion, Certificate, Credential, TokenEndpoint
from auditor.partner_center import retry
from auditor.partner_center.clouds import CLOUDS
from auditor.partner_center.tokens import GivenToken, Grant, RenewedToken, TokenSource
from auditor.settings import AuthKind, Network, Partner
from auditor.settings.problems import INSECURE_URL

LOGIN_URL = "AUDITOR_LOGIN_URL"
"""The environment variable that replaces the cloud's login authority: `https://host`."""


class Login:
    """Signs one partner in. Each sign-in reads the secrets anew, so a changed one takes effect."""

    def __init__(
        self,
        partner: Partner,
        network: Network,
        environ: Mapping[str, str],
        secrets: Secrets,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = randomness.random,
    ) -> None:
        self._partner = partner
        self._sleep = sleep
        self._random = random
        self.failure: Retryable | None = None
        """Why the last sign-in failed; None after a successful one."""
        self._secrets = secrets
        self._endpoint = TokenEndpoint(
            authority=login_authority(partner, environ),
            tenant_id=partner.tenant_id,
            client_id=partner.client_id,
            resource=CLOUDS[partner.cloud].base_url,
            https=Https(proxy=network.proxy, ca_file=network.ca_file),
        )

    async def tokens(self) -> TokenSource:
        """Return the source of the partner's tokens."""
        if self._partner.auth is AuthKind.TOKEN:
            return GivenToken((await asyncio.to_thread(self.sign_in)).token)
        return RenewedToken(self.fetch)

    async def fetch(self) -> Grant:
        """Return a new token; none is cached here."""
        attempt = 1
        while True:
            try:
                grant = await asyncio.to_thread(self.sign_in)
                break
            except Retryable as failure:
                self.failure = failure
                if attempt == retry.ATTEMPTS or isinstance(failure, Untrusted):
                    raise
            await self._sleep(retry.backoff_s(attempt, self._random))
            attempt += 1
        self.failure = None
        self._secrets.seen(grant.token)
        return grant

    def sign_in(self) -> Grant:
        """Return a new token. Blocking."""
        match self._partner.auth:
            case AuthKind.APP:
                return self._endpoint.for_app(self._credential())
            case AuthKind.WORKLOAD_IDENTITY:
                return self._endpoint.for_app(Assertion(self._secrets.federated()))
            case AuthKind.APP_USER:
                return self._as_user()
            case AuthKind.TOKEN:
                return Grant(token=self._secrets.read(self._partner.token), lasts_s=math.inf)

    def _as_user(self) -> Grant:
        credential = self._credential()
        with self._secrets.renewable(self._partner.refresh_token) as held:
            grant, newer = self._endpoint.for_user(credential, held.secret)
            self._secrets.seen(newer)
            if newer != held.secret:
                held.replace(newer)  # before the access token that came with `newer` is used
        return grant

    def _credential(self) -> Credential | None:
        partner = self._partner
        if partner.client_secret:
            return self._secrets.read(partner.client_secret)
        if partner.certificate:
            pem = self._secrets.read(partner.certificate)
            return Certificate.from_pem(pem, f"partner {partner.name}: {partner.certificate}")
        return None


def login_authority(partner: Partner, environ: Mapping[str, str]) -> str:
    """Return where a partner signs in: its cloud's authority, or the one in the environment."""
    given = environ.get(LOGIN_URL, "").rstrip("/")
    if not given:
        return CLOUDS[partner.cloud].login_authority
    try:
        parts = urlsplit(given)
        is_good = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
        is_good = is_good and parts.netloc == given.removeprefix("https://")
    except ValueError:
        is_good = False
    if not is_good or "@" in given:
        raise SettingsError(
            f"environment variable {LOGIN_URL} must be https://HOST (the value is not shown)",
            code=INSECURE_URL,
            hint="without a path: the tenant is added",
        )
    return given
