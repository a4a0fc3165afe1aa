"""What Partner Center's refusals mean to whoever set the auditor up."""

from collections.abc import Mapping

from auditor.errors import Forbidden, PartnerCenterError, Unauthorized
from auditor.login.aadsts import Meaning

_REGISTER = "register the app in Partner Center under Account settings, App management"
_ROLE = "give the user, or the app, a role that may read customers and prices: Admin agent"
_AGAIN = "sign in once more with MFA, and store the new refresh token"

MEANINGS: Mapping[str, Meaning] = {
    "900420": Meaning("the token is for another audience", "it must be for Partner Center's API"),
    "900421": Meaning("the token has no MFA claim", _AGAIN),
    "900329": Meaning("an app alone is not let in here", 'sign in with auth = "app_user"'),
    "900308": Meaning("the privileges do not suffice", _ROLE),
    "900309": Meaning("conditional access forbids it", "exempt the app or its user in the policy"),
    "900150": Meaning("the role lacks the right", _ROLE),
    "2032": Meaning("the role lacks the right", _ROLE),
    "800001": Meaning("the token is not a partner's", _REGISTER),
    "2030": Meaning("the partner does not sell in this country", "take it out of `countries`"),
    "400030": Meaning("the segment is not open to this partner", "take it out of scope.segments"),
    "400036": Meaning(
        "the target view is not open to this partner", "take it out of scope.target_views"
    ),
}
_CONFIGURED = frozenset({"2030", "400030", "400036"})
"""What the configuration asks for, and should not."""
_UNAUTHORIZED = 401


def meaning_of(error: PartnerCenterError) -> Meaning:
    """Return what an error means; its own words where it is no refusal."""
    if not isinstance(error, (Unauthorized, Forbidden)):
        return Meaning(error.message, error.hint)
    if found := MEANINGS.get(error.error_code_sent):
        return Meaning(f"{error.status} {error.error_code_sent}: {found.says}", found.mend)
    if error.status == _UNAUTHORIZED:
        return Meaning("401: the token is not accepted", f"is it this tenant's? If so, {_REGISTER}")
    code = f" {error.error_code_sent}" if error.error_code_sent else ""
    return Meaning(f"403{code}: forbidden", f"consent to the app's permissions; {_REGISTER}")


def exit_status_of(error: PartnerCenterError) -> int:
    """Return the exit status that a refusal stands for."""
    return 78 if error.error_code_sent in _CONFIGURED else error.exit_status
