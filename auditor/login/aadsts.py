"""The meaning of Entra ID's refusals, and what to do about them.

Entra ID's own text is never shown: it names the app, the user and the tenant, and may quote the
request. The codes are those of Microsoft's page "Microsoft Entra authentication and authorization
error codes".
"""

import re
from collections.abc import Mapping

import msgspec


class Meaning(msgspec.Struct, frozen=True):
    """What is wrong, and how to correct it."""

    message: str
    hint: str


_SIGN_IN = "sign in once more with MFA, as the Secure Application Model asks, and store the token"
_CONSENT = "an administrator of the partner tenant must consent to the app's permissions"
_FEDERATION = "the app's federated credential must name the token's issuer, subject and audience"
_POLICY = "exempt the app or its user from the policy, or sign in as the policy asks"

MEANINGS: dict[int, Meaning] = {
    7000215: Meaning("the client secret is wrong", "use the secret's value, not its id"),
    7000222: Meaning("the client secret has expired", "make a new secret for the app registration"),
    7000216: Meaning("no client secret or certificate", "set client_secret or certificate"),
    7000218: Meaning("no client secret or certificate", "set client_secret or certificate"),
    700027: Meaning(
        "the certificate is not one of the app's", "upload it to the app registration, or renew it"
    ),
    700024: Meaning(
        "the signed assertion is not valid now", "set this machine's clock, or renew the file"
    ),
    50013: Meaning("the signed assertion is refused", _FEDERATION),
    70021: Meaning("no federated credential fits the token", _FEDERATION),
    700211: Meaning("no federated credential has the token's issuer", _FEDERATION),
    700212: Meaning("no federated credential has the token's audience", _FEDERATION),
    700213: Meaning("no federated credential has the token's subject", _FEDERATION),
    700016: Meaning(
        "the app is not found in this tenant", "check client_id and tenant_id: whose app is it?"
    ),
    7000112: Meaning("the app is disabled", "enable the enterprise application"),
    7000229: Meaning("the app has no service principal in this tenant", _CONSENT),
    90002: Meaning("the tenant is not found", "check tenant_id and cloud"),
    900023: Meaning("the tenant is not found", "check tenant_id and cloud"),
    65001: Meaning("nobody has consented to the app", _CONSENT),
    650056: Meaning("the app asks for no permission of Partner Center", _CONSENT),
    650057: Meaning(
        "the app does not ask for Partner Center",
        "add the API permission `Microsoft Partner Center` to the app registration, and consent",
    ),
    500011: Meaning(
        "Partner Center is unknown in this tenant",
        "add the API permission `Microsoft Partner Center` to the app registration, and consent",
    ),
    501051: Meaning("the app is not assigned to Partner Center", _CONSENT),
    50105: Meaning("the user is not assigned to the app", "assign it in the enterprise app"),
    50034: Meaning("the user does not exist in this tenant", "check tenant_id, or " + _SIGN_IN),
    50053: Meaning("the user is locked", "unlock it, then " + _SIGN_IN),
    50055: Meaning("the user's password has expired", "renew it, then " + _SIGN_IN),
    50057: Meaning("the user is disabled", "enable it, or " + _SIGN_IN),
    50072: Meaning("the user must register for MFA", _SIGN_IN),
    50076: Meaning("MFA is needed", _SIGN_IN),
    50078: Meaning("MFA has expired", _SIGN_IN),
    50079: Meaning("the user must register for MFA", _SIGN_IN),
    50173: Meaning("the refresh token is revoked: the password changed", _SIGN_IN),
    50158: Meaning("a further check is asked for", _SIGN_IN),
    700082: Meaning("the refresh token has expired: unused for 90 days", _SIGN_IN),
    70008: Meaning("the refresh token has expired", _SIGN_IN),
    70043: Meaning("the refresh token has expired by policy", _SIGN_IN),
    700003: Meaning("the user's device is gone", _SIGN_IN),
    70000: Meaning("the refresh token is another app's, or revoked", _SIGN_IN),
    9002313: Meaning("the refresh token is not one", _SIGN_IN),
    53000: Meaning("conditional access asks for a managed device", _POLICY),
    53001: Meaning("conditional access asks for a joined device", _POLICY),
    53003: Meaning("conditional access forbids it", _POLICY),
    530003: Meaning("conditional access asks for a registered device", _POLICY),
}
_UNKNOWN = Meaning("", "https://login.microsoftonline.com/error explains the code")

_CODE = re.compile(r"AADSTS([0-9]{3,9})")
_WORD = re.compile(r"[a-z_]{3,40}")
_ID = re.compile(r"[0-9A-Fa-f-]{8,40}")
_TRANSIENT_ERRORS = frozenset({"temporarily_unavailable", "server_error"})
_TRANSIENT_CODES = frozenset({90033, 90006})


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a refusal that may be shown."""

    error: str
    """`invalid_client` and the like; '' if the reply has none."""
    code: int
    """The number after AADSTS; 0 if the reply has none."""
    correlation_id: str

    @property
    def is_transient(self) -> bool:
        """Whether a retry may help."""
        return self.error in _TRANSIENT_ERRORS or self.code in _TRANSIENT_CODES

    @property
    def hint(self) -> str:
        """What to do about it."""
        return MEANINGS.get(self.code, _UNKNOWN).hint

    def __str__(self) -> str:
        code = f"AADSTS{self.code}" if self.code else ""
        message = MEANINGS.get(self.code, _UNKNOWN).message
        traced = f"(correlation {self.correlation_id})" if self.correlation_id else ""
        summary = " ".join(part for part in (self.error or "refused", code) if part)
        meaning = f"{summary}: {message}" if message else summary
        return f"{meaning} {traced}" if traced else meaning


def refusal_of(reply: Mapping[str, object]) -> Refusal:
    """Return the parts of a token endpoint's error that may be shown."""
    found = _CODE.search(str(reply.get("error_description", ""))[:200])
    error, correlation = str(reply.get("error", "")), str(reply.get("correlation_id", ""))
    return Refusal(
        error=error if _WORD.fullmatch(error) else "",
        code=int(found[1]) if found else 0,
        correlation_id=correlation if _ID.fullmatch(correlation) else "",
    )
