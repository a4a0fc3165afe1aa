"""What a run came to, partner by partner: what `auditor run --format json` prints."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from auditor.coverage import Counts
from auditor.errors import AuditorError
from auditor.run_state import Header
from auditor.settings import Partner

if TYPE_CHECKING:
    import pyarrow as pa


class SnapshotReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one partner's snapshot; its fields are a contract (`design.md` section 8)."""

    partner: str
    snapshot_id: str
    status: str
    published: bool
    reason: str
    calls: int
    retries: int
    throttled: int
    checks: Counts
    rows: dict[str, int]
    changes: dict[str, int]


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to."""

    run_id: str
    exit: int
    seconds: float
    snapshots: tuple[SnapshotReport, ...]

    def table(self) -> "pa.Table":
        """Return one row for each partner, for people."""
        import pyarrow as pa  # noqa: PLC0415 - heavy

        rows = [
            {
                "partner": s.partner,
                "snapshot_id": s.snapshot_id,
                "status": s.status if s.published else f"not published: {s.reason}",
                "calls": s.calls,
                "answered": s.checks.answered,
                "failed": s.checks.failed,
                "skipped": s.checks.skipped,
                "not_eligible": s.checks.not_eligible,
                "changes": ", ".join(f"{n} {kind}" for kind, n in s.changes.items()) or "none",
            }
            for s in self.snapshots
        ]
        return pa.Table.from_pylist(rows)


class NothingPublished(AuditorError):
    """No partner's snapshot was published; `report` says why, partner by partner."""

    def __init__(self, cause: AuditorError, report: RunReport) -> None:
        super().__init__(cause.message, code=cause.error_code, hint=cause.hint)
        self.report = report
        self.exit_status = cause.exit_status  # type: ignore[misc] # its cause's, not its class's


def not_published(partner: Partner, header: Header, error: AuditorError) -> SnapshotReport:
    """Return the report of a partner that has no snapshot."""
    return SnapshotReport(
        partner=partner.name,
        snapshot_id=header.snapshots[partner.tenant_id],
        status="",
        published=False,
        reason=error.error_code,
        calls=0,
        retries=0,
        throttled=0,
        checks=Counts(),
        rows={"inventory": 0, "availability": 0},
        changes={},
    )


def published_before(partner: Partner, row: Mapping[str, object]) -> SnapshotReport:
    """Return the report of a snapshot that an earlier part of this run has published."""
    count = {name: int(str(row[name])) for name in row if name.startswith("checks_")}
    return SnapshotReport(
        partner=partner.name,
        snapshot_id=str(row["snapshot_id"]),
        status=str(row["status"]),
        published=True,
        reason="published before it was resumed",
        calls=int(str(row["calls"])),
        retries=int(str(row["retries"])),
        throttled=int(str(row["throttled"])),
        checks=Counts(**{name.removeprefix("checks_"): n for name, n in count.items()}),
        rows={
            "inventory": int(str(row["inventory_rows"])),
            "availability": int(str(row["availability_rows"])),
        },
        changes={},
    )
