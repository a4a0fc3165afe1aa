"""The result of a run, partner by partner: what `auditor run --format json` prints."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from auditor.errors import (
    AuditorError,
    PartnerCenterError,
    ScopeError,
    SettingsError,
    StoreUnreachable,
    UsageError,
)
from auditor.journal.runs import RunHeader
from auditor.publish.coverage import Counts
from auditor.publish.publish import changes_in
from auditor.publish.snapshot import Published
from auditor.run.job import CallCounts
from auditor.settings import Partner

if TYPE_CHECKING:
    import pyarrow as pa

    from auditor.store.interface import Store

_NOT_PUBLISHED = (PartnerCenterError, ScopeError, SettingsError, StoreUnreachable, UsageError)
"""After these errors the partner has not published, or the store cannot be asked."""
INCOMPLETE = 3
"""Exit status: something was published, but not everything is known."""
PUBLISHED_BEFORE = "published before"
"""The reason of a snapshot that an earlier process of this run published before it stopped."""


class SnapshotReport(msgspec.Struct, frozen=True, kw_only=True):
    """The result for one partner's snapshot; its fields are a contract (docs/contract.md)."""

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
    """The result of a run."""

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
    """Every partner's part of the run failed; `report` says why, partner by partner."""

    def __init__(self, cause: AuditorError, report: RunReport) -> None:
        super().__init__(cause.message, code=cause.error_code, hint=cause.hint)
        self.report = report
        self.exit_status = cause.exit_status  # type: ignore[misc] # the cause decides it, not the class


class Reports:
    """The report of a run that still works: it always has an entry for every partner."""

    def __init__(self, partners: Iterable[Partner]) -> None:
        self._partners = list(partners)
        self._header: RunHeader | None = None
        self._published: dict[str, SnapshotReport] = {}
        self._errors: dict[str, AuditorError] = {}

    def begin(self, header: RunHeader) -> None:
        """Take the run's header, now that it is on disk. Reports made before have no run id."""
        self._header = header

    def published(self, partner: Partner, report: SnapshotReport) -> None:
        """Record what this process, or an earlier one, published for a partner."""
        self._published[partner.tenant_id] = report

    def failed(self, partner: Partner, error: AuditorError) -> None:
        """Record why a partner's part of the run failed.

        Its snapshot may still be published: the disk can fail just after the publishing.
        """
        self._errors[partner.tenant_id] = error

    def leave_out(self, partner: Partner) -> None:
        """Leave a partner out of the report: none of the named customers belongs to it."""
        self._partners.remove(partner)

    @property
    def run_id(self) -> str:
        """The id of the run; empty until the run's header is on disk."""
        return "" if self._header is None else self._header.run_id

    @property
    def partners(self) -> tuple[Partner, ...]:
        """The partners that the report is about."""
        return tuple(self._partners)

    @property
    def errors(self) -> dict[str, AuditorError]:
        """The errors of the partners that failed, by partner tenant."""
        of_mine = ((p.tenant_id, self._errors.get(p.tenant_id)) for p in self._partners)
        return {tenant_id: error for tenant_id, error in of_mine if error is not None}

    @property
    def failures(self) -> tuple[tuple[str, AuditorError], ...]:
        """The partners that failed so far, by name, with their errors."""
        errors = self.errors
        return tuple((p.name, errors[p.tenant_id]) for p in self._partners if p.tenant_id in errors)

    @property
    def unconfirmed(self) -> list[Partner]:
        """The partners for which only the store knows whether their snapshot is published."""
        return [
            partner
            for partner in self._partners
            if partner.tenant_id not in self._published
            and not isinstance(self._errors.get(partner.tenant_id), _NOT_PUBLISHED)
        ]

    def so_far(self, exit_status: int, seconds: float, why: str) -> RunReport:
        """Return the report; `why` is the reason of every partner without a result."""
        return RunReport(
            run_id=self.run_id,
            exit=exit_status,
            seconds=seconds,
            snapshots=tuple(self._of(partner, why) for partner in self._partners),
        )

    def _of(self, partner: Partner, why: str) -> SnapshotReport:
        error = self._errors.get(partner.tenant_id)
        made = self._published.get(partner.tenant_id)
        if made is not None:
            return made if error is None else msgspec.structs.replace(made, reason=error.error_code)
        return SnapshotReport(
            partner=partner.name,
            snapshot_id="" if self._header is None else self._header.snapshots[partner.tenant_id],
            status="",
            published=False,
            reason=why if error is None else error.error_code,
            calls=0,
            retries=0,
            throttled=0,
            checks=Counts(),
            rows={"inventory": 0, "availability": 0},
            changes={},
        )


def report_from_run(partner: Partner, published: Published, counts: CallCounts) -> SnapshotReport:
    """Return the report of a snapshot that this process has published."""
    return SnapshotReport(
        partner=partner.name,
        snapshot_id=published.snapshot_id,
        status=published.status,
        published=True,
        reason=published.why_incomplete,
        calls=counts.calls,
        retries=counts.retries,
        throttled=counts.throttled,
        checks=published.checks,
        rows=published.rows,
        changes=published.changes,
    )


def report_from_store(partner: Partner, store: "Store", snapshot_id: str) -> SnapshotReport:
    """Return the report of a published snapshot, read from the store, changes included."""
    row = store.snapshot(snapshot_id)
    return SnapshotReport(
        partner=partner.name,
        snapshot_id=snapshot_id,
        status=row["status"],
        published=True,
        reason=PUBLISHED_BEFORE,
        calls=row["calls"],
        retries=row["retries"],
        throttled=row["throttled"],
        checks=Counts(
            answered=row["checks_answered"],
            failed=row["checks_failed"],
            skipped=row["checks_skipped"],
            not_eligible=row["checks_not_eligible"],
        ),
        rows={name: row[f"{name}_rows"] for name in ("inventory", "availability")},
        changes=changes_in(store, snapshot_id),
    )
