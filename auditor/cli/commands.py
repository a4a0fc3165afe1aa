"""What the user asks for: one frozen value per command."""

from enum import StrEnum
from pathlib import Path

import msgspec

from auditor.log import LogFormat
from auditor.model import ChangeKind
from auditor.settings.values import Narrow


class Format(StrEnum):
    """How rows are written to stdout."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What every command takes."""

    quiet: bool = False
    log_format: LogFormat = LogFormat.CONSOLE
    debug: bool = False


class Configured(Command, frozen=True, kw_only=True):
    """A command that reads the configuration."""

    config: Path | None = None
    """None is ./auditor.toml, then $AUDITOR_CONFIG."""


class Demo(Command, frozen=True, kw_only=True):
    """`auditor demo`."""

    out: Path = Path("auditor-demo")
    seed: int = 1


class Sandbox(Command, frozen=True, kw_only=True):
    """`auditor sandbox`."""

    port: int = 8080
    seed: int = 1
    customers: int | None = None
    """None is as many as the sandbox makes by itself."""
    night: int = 1
    faults: Path | None = None
    """None is a sandbox that always works."""


class Init(Configured, frozen=True, kw_only=True):
    """`auditor init`."""


class Doctor(Configured, frozen=True, kw_only=True):
    """`auditor doctor`."""

    format: Format = Format.TABLE


class Plan(Configured, frozen=True, kw_only=True):
    """`auditor plan`."""

    narrow: Narrow
    explain: bool = False
    format: Format = Format.TABLE


class Run(Configured, frozen=True, kw_only=True):
    """`auditor run`."""

    narrow: Narrow
    format: Format = Format.TABLE


class Changes(Configured, frozen=True, kw_only=True):
    """`auditor changes`."""

    snapshot: str | None = None
    """None is the newest of each partner."""
    between: tuple[str, str] | None = None
    """None compares nothing."""
    kinds: tuple[ChangeKind, ...] = ()
    customer: str | None = None
    """None is all."""
    by_cause: bool = False
    format: Format = Format.TABLE
    out: Path | None = None
    """None is stdout."""


class SnapshotsList(Configured, frozen=True, kw_only=True):
    """`auditor snapshots list`."""

    format: Format = Format.TABLE


class SnapshotsShow(Configured, frozen=True, kw_only=True):
    """`auditor snapshots show`."""

    snapshot: str
    quarantine: bool = False
    format: Format = Format.TABLE


class SnapshotsVerify(Configured, frozen=True, kw_only=True):
    """`auditor snapshots verify`."""

    snapshot: str


class SnapshotsPrune(Configured, frozen=True, kw_only=True):
    """`auditor snapshots prune`."""

    keep_days: int
    apply: bool = False
    format: Format = Format.TABLE


class Sql(Configured, frozen=True, kw_only=True):
    """`auditor sql`."""

    query: str
    format: Format = Format.TABLE


class DbUpgrade(Configured, frozen=True, kw_only=True):
    """`auditor db upgrade`."""


class Report(Configured, frozen=True, kw_only=True):
    """`auditor report`."""

    snapshot: str | None = None
    """None is the newest of each partner."""
    out: Path | None = None
    """None is stdout."""
    mask: bool = False


class Text(msgspec.Struct, frozen=True):
    """Help or a version: to be written to stdout, and that is all."""

    text: str


Asked = (
    Demo
    | Sandbox
    | Init
    | Doctor
    | Plan
    | Run
    | Changes
    | SnapshotsList
    | SnapshotsShow
    | SnapshotsVerify
    | SnapshotsPrune
    | Sql
    | DbUpgrade
    | Report
)

Parsed = Asked | Text
