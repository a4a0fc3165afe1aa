"""Makes the rows of the relation `attempt`: how a run went for each of its partners."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from auditor.journal.attempts import Attempt
from auditor.journal.runs import RunHeader
from auditor.log import clean, redacted
from auditor.run.partner import PartnerRun
from auditor.run.result import INCOMPLETE, Reports
from auditor.settings import Narrow

STOPPED = 143
_STOPPED_BECAUSE = "the run was stopped by a signal or an error; its replies are journaled"
_LONGEST = 300


def begun(reports: Reports, header: RunHeader, narrow: Narrow) -> Iterator[Attempt]:
    """Yield the rows of a run that is about to ask. They stay like this if the run is killed."""
    for partner in reports.partners:
        yield Attempt(
            run_id=header.run_id,
            partner_tenant_id=partner.tenant_id,
            partner_name=partner.name,
            kind="full" if narrow.is_full else "partial",
            trigger=narrow.trigger,
            customers=";".join(sorted(narrow.customers)),
            started_at=header.started_at,
        )


def ended(
    reports: Reports,
    header: RunHeader,
    narrow: Narrow,
    runs: Mapping[str, PartnerRun],
    now: datetime,
) -> Iterator[Attempt]:
    """Yield the rows of a run that has ended; `runs` has each partner that began, by tenant."""
    errors = reports.errors
    report = {each.partner: each for each in reports.so_far(0, 0.0, "").snapshots}
    for attempt in begun(reports, header, narrow):
        tenant_id = attempt.partner_tenant_id
        snapshot = report[attempt.partner_name]
        run = runs.get(tenant_id)
        exit_status, code, reason = STOPPED, "E_STOPPED", _STOPPED_BECAUSE
        if tenant_id in errors:
            error = errors[tenant_id]
            exit_status, code, reason = error.exit_status, error.error_code, error.message
        elif snapshot.published:
            exit_status = 0 if snapshot.status == "complete" else INCOMPLETE
            code, reason = "", snapshot.reason
        customers = run.discovery.asked if run is not None else ()
        yield Attempt(
            run_id=attempt.run_id,
            partner_tenant_id=tenant_id,
            partner_name=attempt.partner_name,
            kind=attempt.kind,
            trigger=attempt.trigger,
            customers=";".join(sorted(customers)) or attempt.customers,
            started_at=attempt.started_at,
            ended_at=now,
            exit=exit_status,
            error_code=code,
            reason=clean(redacted(reason))[:_LONGEST],
            snapshot_id=snapshot.snapshot_id if snapshot.published else "",
            calls=snapshot.calls or (0 if run is None else run.calls),
        )
