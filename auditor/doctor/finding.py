"""What the doctor says of one thing that was tried."""

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from auditor.errors import AuditorError

if TYPE_CHECKING:
    import pyarrow as pa


class State(StrEnum):
    """How it stands."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


_WORST_FIRST = (70, 78, 77, 76, 73, 74, 65, 66, 69, 75)
"""Exit statuses: what nobody but a person mends comes before what may mend itself."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried; `exit_status` is 0 unless it is a fault."""

    check: str
    partner: str = ""
    """'' where it is nobody's in particular."""
    state: State = State.OK
    said: str
    mend: str = ""
    exit_status: int = 0

    @classmethod
    def fault(cls, check: str, error: AuditorError, *, partner: str = "") -> "Finding":
        """Return the finding that an error stands for."""
        return cls(
            check=check,
            partner=partner,
            state=State.FAULT,
            said=error.message,
            mend=error.hint,
            exit_status=error.exit_status,
        )


def exit_status(findings: Iterable[Finding]) -> int:
    """Return the exit status of the worst fault; 0 where there is none."""
    found = {finding.exit_status for finding in findings}
    return next((status for status in _WORST_FIRST if status in found), 0)


def as_rows(findings: Iterable[Finding]) -> "pa.Table":
    """Return one row for each."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    names = ("check", "partner", "state", "said", "mend")
    schema = pa.schema([(name, pa.string()) for name in names])
    rows = [{name: str(getattr(finding, name)) for name in names} for finding in findings]
    return pa.Table.from_pylist(rows, schema=schema)
