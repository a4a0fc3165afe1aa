"""One finding of the doctor, its exit status, and how findings are shown."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

import msgspec
from rich.table import Table
from rich.text import Text

from auditor.errors import AuditorError, Forbidden, PartnerCenterError, Unauthorized
from auditor.log import clean
from auditor.login.aadsts import Meaning
from auditor.report.terminal_page import TerminalPage

if TYPE_CHECKING:
    import pyarrow as pa


class State(StrEnum):
    """The result of one check of the doctor."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


_WORST_FIRST = (70, 78, 77, 76, 73, 74, 65, 66, 69, 75)
"""Exit statuses: faults that a person must fix come before those that may pass."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The result of trying one thing; `exit_status` is 0 unless it is a fault."""

    check: str
    partner: str = ""
    """'' if it concerns no single partner."""
    state: State = State.OK
    message: str
    hint: str = ""
    exit_status: int = 0

    @classmethod
    def fault(cls, check: str, error: AuditorError, *, partner: str = "") -> "Finding":
        """Return the finding for an error."""
        return cls(
            check=check,
            partner=partner,
            state=State.FAULT,
            message=error.message,
            hint=error.hint,
            exit_status=error.exit_status,
        )


def exit_status(findings: Iterable[Finding]) -> int:
    """Return the exit status of the worst fault; 0 if there is no fault."""
    found = {finding.exit_status for finding in findings}
    return next((status for status in _WORST_FIRST if status in found), 0)


_COLUMNS = ("check", "partner", "state", "said", "mend")
"""The columns are a contract (docs/contract.md); the fields of `Finding` may have other names."""


def as_rows(findings: Iterable[Finding]) -> "pa.Table":
    """Return one row for each finding."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    rows = [
        {
            "check": finding.check,
            "partner": finding.partner,
            "state": str(finding.state),
            "said": finding.message,
            "mend": finding.hint,
        }
        for finding in findings
    ]
    schema = pa.schema([(name, pa.string()) for name in _COLUMNS])
    return pa.Table.from_pylist(rows, schema=schema)


_REGISTER = "register the app in Partner Center under Account settings, App management"

_ROLE = "give the user, or the app, a role that may read customers and prices: Admin agent"

_AGAIN = "sign in once more with MFA, and store the new refresh token"

MEANINGS: Mapping[str, Meaning] = {
    "900420": Meaning("the token is for another audience", "it must be for Partner Center's API"),
    "900421": Meaning("the token has no MFA claim", _AGAIN),
    "900329": Meaning(
        "this API does not accept an app without a user", 'sign in with auth = "app_user"'
    ),
    "900308": Meaning("the privileges are not sufficient", _ROLE),
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
"""Error codes for something that the configuration should not ask for."""

_UNAUTHORIZED = 401


def meaning_of(error: PartnerCenterError) -> Meaning:
    """Return what a refusal means; for any other error, that error's message and hint."""
    if not isinstance(error, (Unauthorized, Forbidden)):
        return Meaning(error.message, error.hint)
    if found := MEANINGS.get(error.error_code_sent):
        return Meaning(f"{error.status} {error.error_code_sent}: {found.message}", found.hint)
    if error.status == _UNAUTHORIZED:
        return Meaning("401: the token is not accepted", f"is it this tenant's? If so, {_REGISTER}")
    code = f" {error.error_code_sent}" if error.error_code_sent else ""
    return Meaning(f"403{code}: forbidden", f"consent to the app's permissions; {_REGISTER}")


def exit_status_of(error: PartnerCenterError) -> int:
    """Return the exit status for a refusal."""
    return 78 if error.error_code_sent in _CONFIGURED else error.exit_status


_STYLES = {State.OK: "green", State.WARNING: "yellow", State.FAULT: "bold red"}


def write_findings(findings: Sequence[Finding], stream: TextIO) -> None:
    """Write the findings and the number of faults and warnings."""
    page = TerminalPage(stream)
    lines = Table.grid(padding=(0, 2, 0, 0))
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    for finding in findings:
        whose = f"{finding.partner} " if finding.partner else ""
        line = Text(clean(f"{whose}{finding.check}"), style="bold")
        line.append(f": {clean(finding.message)}", "not bold")
        lines.add_row(Text(finding.state, style=_STYLES[finding.state]), line)
        if finding.hint and finding.state is not State.OK:
            lines.add_row("", Text(f"to fix: {clean(finding.hint)}", style="italic"))
    page.print(lines)
    faults = sum(finding.state is State.FAULT for finding in findings)
    warnings = sum(finding.state is State.WARNING for finding in findings)
    page.print()
    page.print(f"{len(findings)} checks, {faults} fault(s), {warnings} warning(s)")
