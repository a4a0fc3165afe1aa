"""The whole pipeline: every partner's run side by side, and one exit status for all of them."""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from auditor.concurrency import run_in_thread
from auditor.errors import (
    AuditorError,
    Bug,
    Locked,
    StoreFailed,
    StoreUnwritable,
    UsageError,
    as_auditor_error,
)
from auditor.journal.attempts import Attempt, Attempts
from auditor.journal.runs import RunHeader, Runs
from auditor.partner_center.client import Send
from auditor.partner_center.retry import RetryBudget
from auditor.progress import Progress, Silent
from auditor.publish.publish import LOCK_WAIT_S
from auditor.run import attempted
from auditor.run.clock import never_back
from auditor.run.holding import hold
from auditor.run.job import Job
from auditor.run.naming import Naming, NothingNamed
from auditor.run.partner import PartnerRun
from auditor.run.parts.folder import FilesGone, RunFolder
from auditor.run.parts.publishing import DividedPartnerRun, PartsMissing
from auditor.run.result import (
    INCOMPLETE,
    NothingPublished,
    Reports,
    RunReport,
    SnapshotReport,
    report_from_run,
    report_from_store,
)
from auditor.run.runtime import Runtime
from auditor.run.sending import sending
from auditor.run.time_limit import asks_until
from auditor.settings import Narrow, Partner, Settings, check_secrets, partners_for
from auditor.store import open_store

if TYPE_CHECKING:
    from auditor.store.interface import Store

CHANGED = 10
_CREDENTIALS = (77, 78)


async def audit(
    settings: Settings,
    narrow: Narrow | None = None,
    progress: Progress | None = None,
    *,
    runtime: Runtime | None = None,
) -> RunReport:
    """Audit every partner, publish the snapshots, and return the report.

    Raises:
        NothingPublished: no partner could be asked, or no snapshot could be published.
        AuditorError: the run did not start; its `exit_status` says why.
    """
    with Run(settings, narrow, runtime=runtime) as run:
        report = await run.audit(progress or Silent())
        run.finish()
        return report


class Run:
    """One run of all partners. It holds its locks until its context is left.

    `so_far` returns the report at any moment, from any thread. The run counts as unfinished until
    `finish` is called, which the caller does once the user has the report.
    """

    def __init__(
        self, settings: Settings, narrow: Narrow | None = None, *, runtime: Runtime | None = None
    ) -> None:
        self._settings = settings
        self._narrow = narrow or Narrow()
        self._progress: Progress = Silent()
        self._runtime = runtime or Runtime(environ=os.environ)
        self._now = self._runtime.now
        self._partners = list(partners_for(settings, self._narrow))
        self._began = self._runtime.clock()
        self._asks_until = asks_until(self._began, self._narrow.max_seconds)
        self._reports = Reports(self._partners)
        self._naming = Naming(
            self._narrow.customers, [partner.tenant_id for partner in self._partners]
        )
        self._runs: dict[str, PartnerRun] = {}
        """By partner tenant."""
        self._budget = RetryBudget()
        self._held = ExitStack()
        self._done: RunHeader | None = None
        """Set once nothing is left to resume."""
        self.attempts: tuple[Attempt, ...] = ()
        """How the run went for each partner so far; empty until it has its locks."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._held.close()

    def so_far(self, exit_status: int, why: str) -> RunReport:
        """Return the report as it is now, with this exit status.

        `why` is the reason of each partner without a result. Nothing is read from the store.
        """
        seconds = round(self._runtime.clock() - self._began, 3)
        return self._reports.so_far(exit_status, seconds, why)

    @property
    def failures(self) -> tuple[tuple[str, AuditorError], ...]:
        """The partners that failed so far, by name, with their errors."""
        return self._reports.failures

    def finish(self) -> None:
        """Write down that nothing is left to resume.

        This is the last step. A run that is killed before its report is shown can be resumed; the
        resumed run finds the snapshots published, and reports them. If the disk refuses this write,
        nothing is lost: the run can still be resumed.
        """
        if self._done is None:
            return
        try:
            Runs(self._settings.state_dir).finish(self._done)
        except AuditorError as error:
            self._progress.event("run.not_finished", run=self._done.run_id, reason=error.message)

    async def audit(self, progress: Progress) -> RunReport:
        """Take every partner through the pipeline; see `audit`."""
        self._progress = progress
        runs = Runs(self._settings.state_dir)
        header = runs.to_resume(self._settings, self._narrow, self._runtime.now())
        if header is not None:
            self._reports.begin(header)  # a run that ends before it has the locks names it too
            if header.is_finished:
                return await self._finished_before(header)
        # an unreachable store ends the run here, without a wait: no work is lost yet
        try:
            store = open_store(self._settings.store, create=True)
        except AuditorError as error:
            self._note_unopened(error, header)
            raise
        header = await self._hold(runs, store)
        if header.is_finished:  # by the process that held its lock
            return await self._finished_before(header)
        try:
            runs.save(header)
            self._reports.begin(header)
            runs.prune(self._runtime.now(), self._settings.run.resume_max_age_hours)
            self._save_attempts(attempted.begun(self._reports, header, self._narrow))
            await self._record_attempts(store)
            progress.event("run.started", run=header.run_id, partners=len(self._partners))
            async with asyncio.TaskGroup() as group:
                for partner in self._partners:
                    folder = runs.folder(header.run_id)
                    group.create_task(self._partner(partner, header, store, folder))
        finally:
            if self._reports.run_id:
                await self._find_published(lambda: store, header)
                self._save_attempts(self._ended_attempts(header))
                await self._record_attempts(store, mine=header.run_id)
        return self._ended(header)

    async def _finished_before(self, header: RunHeader) -> RunReport:
        """Return the report of a run that has nothing left to do; with `--run`, the same one."""
        self._reports.begin(header)
        self._progress.event("run.finished_before", run=header.run_id)
        if self._narrow.run and header.report is not None:
            return msgspec.convert(header.report, RunReport)
        why = await self._find_published(partial(open_store, self._settings.store), header)
        return self.so_far(0, why or "the run ended without it")

    async def _hold(self, runs: Runs, store: "Store") -> RunHeader:
        """Take the locks, and return the run to go on with, or a new one."""
        tenants = [partner.tenant_id for partner in self._partners]

        def select() -> RunHeader:
            self._start_after(store.last_published_at())
            found = runs.to_resume(self._settings, self._narrow, self._runtime.now())
            if found is None and self._narrow.is_divided:
                found = RunFolder(store.shared_files(), self._narrow.run).header()
            return found or self._new_run(runs, self._now())

        header = await hold(
            self._held,
            runs,
            tenants if self._narrow.is_full else (),
            select,
            wait_s=max(self._narrow.wait_s, LOCK_WAIT_S if self._narrow.is_divided else 0.0),
            until=self._asks_until,
            runtime=self._runtime,
            progress=self._progress,
        )
        if self._narrow.run:  # another process may have started it just before the lock was taken
            found = runs.to_resume(self._settings, self._narrow, self._runtime.now())
            return found or header
        return header

    def _new_run(self, runs: Runs, at: datetime) -> RunHeader:
        tenants = [partner.tenant_id for partner in self._partners]
        return runs.begin(self._settings, self._narrow, tenants, at, self._runtime.entropy())

    def _ended_attempts(self, header: RunHeader) -> Iterator[Attempt]:
        now = self._runtime.now()
        return attempted.ended(self._reports, header, self._narrow, self._runs, now)

    def _save_attempts(self, attempts: Iterable[Attempt]) -> None:
        """Write attempts into `state_dir`. A disk that refuses does not end the run."""
        self.attempts = tuple(attempts)
        try:
            Attempts(self._settings.state_dir).save(self.attempts)
        except OSError as error:
            self._progress.event("attempt.not_saved", reason=str(error))

    async def _record_attempts(self, store: "Store", mine: str = "") -> None:
        """Give the store the attempts that wait in `state_dir`, also those of killed runs."""
        attempts = Attempts(self._settings.state_dir)
        await run_in_thread(attempts.record, store, self._runtime.now(), mine=mine)

    def _note_unopened(self, error: AuditorError, header: RunHeader | None) -> None:
        """Record that no partner was asked, because the store cannot be opened."""
        runs = Runs(self._settings.state_dir)
        header = header or self._new_run(runs, self._runtime.now())
        for partner in self._partners:
            self._reports.failed(partner, error)
        self._save_attempts(self._ended_attempts(header))

    def _ended(self, header: RunHeader) -> RunReport:
        """Return the report, once every partner's part has ended."""
        failures = list(self._reports.errors.values())
        if len(failures) == len(self._reports.partners):
            cause = cause_of(failures)
            report = self.so_far(cause.exit_status, cause.error_code)
            raise NothingPublished(cause, report) from cause
        report = self.so_far(0, "")
        report = msgspec.structs.replace(report, exit=self._exit(report, failures))
        if not any(isinstance(each, (Locked, StoreFailed, StoreUnwritable)) for each in failures):
            self._done = msgspec.structs.replace(header, report=msgspec.to_builtins(report))
        self._progress.event("run.finished", run=report.run_id, exit=report.exit)
        return report

    async def _find_published(self, opened: "Callable[[], Store]", header: RunHeader) -> str:
        """Ask the store for snapshots that are published, but that the report does not have yet.

        This run may have published one before it was stopped and resumed, or just before a signal
        or a failing disk ended the run. Returns the error code if the store could not be asked,
        else ''.
        """
        unconfirmed = self._reports.unconfirmed
        if not unconfirmed:
            return ""
        try:
            store = await run_in_thread(opened)
            published = set(await run_in_thread(store.published))
            for partner in unconfirmed:
                snapshot_id = header.snapshots[partner.tenant_id]
                if snapshot_id in published:
                    report = await run_in_thread(report_from_store, partner, store, snapshot_id)
                    self._reports.published(partner, report)
        except AuditorError as error:
            return error.error_code
        return ""

    def _start_after(self, latest: datetime | None) -> None:
        """Make this run's times later than the latest snapshot, even if the clock is behind it."""
        self._now = never_back(self._runtime.now, latest)
        if latest is not None and (now := self._runtime.now()) < latest:
            behind_s = round((latest - now).total_seconds())
            self._progress.event("clock.behind", seconds=behind_s, latest=latest.isoformat())

    def _exit(self, report: RunReport, errors: list[AuditorError]) -> int:
        if any(isinstance(error, PartsMissing) for error in errors):
            return PartsMissing.exit_status
        if errors or any(one.status != "complete" for one in report.snapshots):
            return INCOMPLETE
        kinds = {kind for one in report.snapshots for kind in one.changes}
        return CHANGED if kinds & {kind.value for kind in self._narrow.fail_on} else 0

    async def _partner(
        self, partner: Partner, header: RunHeader, store: "Store", folder: Path
    ) -> None:
        """Take one partner through the pipeline. Its failure is recorded; the others go on."""
        job = self._job(partner, header, folder)
        partner_run = self._partner_run(job, store)
        self._runs[partner.tenant_id] = partner_run
        try:
            await self._publish(partner_run, job, store)
        except NothingNamed:
            self._reports.leave_out(partner)
        except Exception as failure:  # a partner must not end the others; a bug is raised below
            error = as_auditor_error(failure)
            self._reports.failed(partner, error)
            if isinstance(error, Bug):
                raise  # a bug of ours: the other partners' snapshots cannot be trusted either
            self._progress.event(
                "partner.not_published" if partner_run.made is None else "partner.failed",
                partner=partner.name,
                code=error.error_code,
                reason=error.message,
            )
        finally:  # after a cancellation too: it may come while the snapshot is being published
            self._naming.out(partner.tenant_id)
            if partner_run.made is not None:
                report = report_from_run(partner, *partner_run.made)
                self._report_snapshot("snapshot.published", partner, report)

    def _partner_run(self, job: Job, store: "Store") -> PartnerRun:
        if self._narrow.is_divided:
            files = RunFolder(store.shared_files(), job.run_id)
            folder = files.of_partner(job.partner.tenant_id)
            return DividedPartnerRun(job, store, self._progress, now=self._now, folder=folder)
        return PartnerRun(job, store, self._progress, now=self._now, naming=self._naming)

    async def _publish(self, partner_run: PartnerRun, job: Job, store: "Store") -> None:
        outage = partner_run.discovery.outage
        if job.snapshot_id in await outage.retry(store.published):
            await partner_run.clean_up()
            report = await outage.retry(report_from_store, job.partner, store, job.snapshot_id)
            self._report_snapshot("snapshot.published_before", job.partner, report)
            return
        check_secrets(self._settings, job.partner, self._runtime.environ)
        try:
            async with self._sending(job) as send:
                await partner_run.run(send)
        except FilesGone:
            report = await outage.retry(report_from_store, job.partner, store, job.snapshot_id)
            self._report_snapshot("snapshot.published_before", job.partner, report)

    def _report_snapshot(self, event: str, partner: Partner, report: SnapshotReport) -> None:
        self._reports.published(partner, report)
        self._progress.event(
            event,
            partner=partner.name,
            snapshot=report.snapshot_id,
            status=report.status,
            changes=sum(report.changes.values()),
        )

    def _sending(self, job: Job) -> AbstractAsyncContextManager[Send]:
        return sending(job, self._runtime, now=self._now, budget=self._budget)

    def _job(self, partner: Partner, header: RunHeader, folder: Path) -> Job:
        return Job.of_run(
            header,
            partner,
            settings=self._settings,
            narrow=self._narrow,
            folder=folder,
            asks_until=self._asks_until,
            runtime=self._runtime,
        )


def cause_of(failures: Sequence[AuditorError]) -> AuditorError:
    """Return the error that decides the exit status of a run in which every partner failed.

    An error about the command line comes first. Exit statuses 77 and 78 say that all credentials
    are at fault, so every other error comes before them.
    """
    usage = [error for error in failures if isinstance(error, UsageError)]
    others = [error for error in failures if error.exit_status not in _CREDENTIALS]
    return (usage or others or failures)[0]
