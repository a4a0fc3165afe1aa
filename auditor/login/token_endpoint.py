"""One tenant's token endpoint, called through msal. Blocking: call it in a thread.

msal caches tokens for an hour and refusals for a minute. Each token therefore gets an msal
application of its own, so that every reply is the endpoint's current one.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from auditor.errors import SettingsError, Throttled, Unauthorized, Unreachable
from auditor.https import HttpResponse, Https, address
from auditor.login.aadsts import refusal_of
from auditor.partner_center.tokens import Grant
from auditor.secret import Secret

_TOO_MANY = 429
_LONGEST_S = 86_400.0


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """The certificate of an app, used instead of a client secret."""

    private_key: Secret
    public: str
    """The certificate itself, as PEM text."""

    @classmethod
    def from_pem(cls, pem: Secret, where: str) -> "Certificate":
        """Return the key and the certificate in a file; SettingsError names what is missing."""
        from cryptography import x509  # noqa: PLC0415 - heavy, and most apps have a secret
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - likewise
        from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - likewise

        content = pem.reveal().encode()
        try:
            certificate = x509.load_pem_x509_certificate(content)
        except ValueError:
            raise _unusable(where, "holds no certificate") from None
        try:
            key = serialization.load_pem_private_key(content, password=None)
        except TypeError:
            raise _unusable(where, "has a passphrase, which the auditor cannot enter") from None
        except ValueError:
            raise _unusable(where, "holds no private key") from None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise _unusable(where, "has a key that is not RSA, which Entra ID asks for")
        if key.public_key() != certificate.public_key():
            raise _unusable(where, "has a certificate that does not belong to its key")
        plain = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        public = certificate.public_bytes(serialization.Encoding.PEM)
        return cls(private_key=Secret(plain.decode()), public=public.decode())


class Assertion(msgspec.Struct, frozen=True):
    """A token of another issuer that identifies the app: workload identity."""

    token: Secret


Credential = Secret | Certificate | Assertion
"""How an app proves who it is; a Secret is its client secret."""


class TokenEndpoint:
    """The token endpoint of one app, tenant and resource."""

    def __init__(
        self, *, authority: str, tenant_id: str, client_id: str, resource: str, https: Https
    ) -> None:
        """`authority` is `https://host`, as in `clouds.CLOUDS`."""
        self._authority = f"{authority}/{tenant_id}"
        self._client_id = client_id
        self._scopes = [f"{resource}/.default"]
        self._https = https

    def for_app(self, credential: Credential | None) -> Grant:
        """Return a token for the app alone."""

        def ask() -> Any:  # msal has no types
            return self._application(credential).acquire_token_for_client(self._scopes)

        return self._grant(self._token_reply(ask))

    def for_user(
        self, credential: Credential | None, refresh_token: Secret
    ) -> tuple[Grant, Secret]:
        """Return a token for app and user, and the refresh token to keep from now on."""

        def ask() -> Any:  # msal has no types
            return self._application(credential).acquire_token_by_refresh_token(
                refresh_token.reveal(), self._scopes
            )

        reply = self._token_reply(ask)
        return self._grant(reply), Secret(str(reply.get("refresh_token") or refresh_token.reveal()))

    def _application(self, credential: Credential | None) -> Any:  # msal has no types
        import msal  # noqa: PLC0415 - heavy, and not needed for a given token

        return msal.ConfidentialClientApplication(
            self._client_id,
            client_credential=_as_msal_takes(credential),
            authority=self._authority,
            instance_discovery=False,  # else msal asks another host whether this one is Microsoft's
            azure_region=False,  # else msal reads the environment
            http_client=_HttpClient(self._https),
        )

    def _token_reply(self, ask: Callable[[], Any]) -> Mapping[str, Any]:
        """Return the reply that holds a token; raise for any other."""
        try:
            reply: Mapping[str, Any] = ask()
        except (ValueError, TypeError, AttributeError, LookupError) as exc:
            raise _senseless(self._authority) from exc
        if "access_token" in reply:
            return reply
        raise _refused(self._authority, reply, f" of app {self._client_id}")

    def _grant(self, reply: Mapping[str, Any]) -> Grant:
        token = str(reply["access_token"])
        try:
            lasts_s = float(reply["expires_in"])
        except (LookupError, TypeError, ValueError):
            lasts_s = 0.0
        if not 0 < lasts_s <= _LONGEST_S or not token.isascii() or not token.isprintable():
            raise _senseless(self._authority)
        return Grant(token=Secret(token), lasts_s=lasts_s)


def _unusable(where: str, message: str) -> SettingsError:
    return SettingsError(
        f"{where} {message}",
        hint="a PEM file with an RSA private key without passphrase, and its certificate",
    )


def _as_msal_takes(credential: Credential | None) -> object:
    match credential:
        case None:
            return None
        case Secret():
            return credential.reveal()
        case Certificate():
            return {
                "private_key": credential.private_key.reveal(),
                "public_certificate": credential.public,
            }
        case Assertion():
            return {"client_assertion": credential.token.reveal}


class _Response(msgspec.Struct, frozen=True, kw_only=True):
    """An answer in the form that msal reads."""

    status_code: int
    text: str
    headers: dict[str, str]


class _HttpClient:
    """Sends msal's requests. It passes only JSON objects on, because msal logs any other reply."""

    def __init__(self, https: Https) -> None:
        self._https = https

    def get(self, url: str, *, headers: Mapping[str, str] | None = None, **_: object) -> _Response:
        answer = self._https.send("GET", url, headers=headers)
        if answer.status // 100 == 4:  # noqa: PLR2004 - the tenant is unknown, or the host is wrong
            raise _failed(url, answer) or _refused(url, answer.json())
        return _checked(url, answer)

    def post(
        self,
        url: str,
        *,
        data: Mapping[str, str | bytes],
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> _Response:
        form = {
            key: value.decode() if isinstance(value, bytes) else str(value)
            for key, value in data.items()
        }
        return _checked(url, self._https.send("POST", url, headers=headers, form=form))

    def close(self) -> None:
        """Do nothing: no connection is kept."""


def _checked(url: str, answer: HttpResponse) -> _Response:
    if error := _failed(url, answer):
        raise error
    if answer.status // 100 == 3 or not answer.json():  # noqa: PLR2004 - a redirect
        raise _senseless(url)
    return _Response(
        status_code=answer.status, text=answer.body.decode("utf-8", "replace"), headers={}
    )


def _failed(url: str, answer: HttpResponse) -> Throttled | Unreachable | None:
    if answer.status == _TOO_MANY:
        return Throttled(f"{address(url)}: the token endpoint answered 429", status=answer.status)
    if answer.status // 100 == 5:  # noqa: PLR2004 - a server error
        message = f"{address(url)}: the token endpoint answered {answer.status}"
        return Unreachable(message, status=answer.status)
    return None


def _senseless(url: str) -> Unreachable:
    return Unreachable(
        f"{address(url)}: the server that answered is no token endpoint",
        hint="a proxy or a captive portal may be in between: see [network] in the configuration",
    )


def _refused(url: str, reply: Mapping[str, object], whose: str = "") -> Unauthorized | Unreachable:
    refusal = refusal_of(reply)
    host = urlsplit(url).hostname
    if refusal.is_transient:
        return Unreachable(f"{address(url)}: {refusal}")
    if not refusal.error and not refusal.code:
        return _senseless(url)
    return Unauthorized(
        f"{host} refused the credential{whose}: {refusal}",
        hint=refusal.hint,
        correlation_id=refusal.correlation_id,
    )
