"""One part of a divided run, for all partners side by side."""

import asyncio
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from auditor.concurrency import run_in_thread
from auditor.errors import AuditorError, Bug, Retryable, StoreError, as_auditor_error
from auditor.journal.runs import RunHeader, Runs
from auditor.partner_center.retry import RetryBudget
from auditor.progress import Progress, Silent
from auditor.run.clock import never_back
from auditor.run.job import Job
from auditor.run.parts.folder import Failed, PartnerFolder, RunFolder, check_same
from auditor.run.parts.part import PartnerPart
from auditor.run.parts.scratch import scratch
from auditor.run.result import (
    INCOMPLETE,
    NothingPublished,
    Reports,
    RunReport,
    report_from_store,
)
from auditor.run.run import cause_of
from auditor.run.runtime import Runtime
from auditor.run.sending import sending
from auditor.run.time_limit import asks_until
from auditor.settings import Narrow, Part, Partner, Settings, check_secrets, partners_for
from auditor.store import open_store
from auditor.store.interface import Store


class PartOfRun:
    """One part of a divided run: like `auditor.run.run.Run`, but nothing is published."""

    def __init__(
        self, settings: Settings, narrow: Narrow, *, runtime: Runtime | None = None
    ) -> None:
        """`narrow` has the part and the id of the run."""
        self._settings = settings
        self._narrow = narrow
        self._part = narrow.part or Part(1, 1)
        self._runtime = runtime or Runtime(environ=os.environ)
        self._partners = list(partners_for(settings, narrow))
        self._reports = Reports(self._partners)
        self._began = self._runtime.clock()
        self._asks_until = asks_until(self._began, narrow.max_seconds)
        self._progress: Progress = Silent()
        self._budget = RetryBudget()
        self._scratch = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._scratch.close()

    def so_far(self, exit_status: int, why: str) -> RunReport:
        """Return the report as it is now; see `Run.so_far`."""
        seconds = round(self._runtime.clock() - self._began, 3)
        return self._reports.so_far(exit_status, seconds, why)

    @property
    def failures(self) -> tuple[tuple[str, AuditorError], ...]:
        """The partners that failed so far, by name, with their errors."""
        return self._reports.failures

    def finish(self) -> None:
        """Do nothing: each bucket is finished by itself."""

    async def audit(self, progress: Progress) -> RunReport:
        """Do this part of the run; see `PartnerPart.work`.

        Raises:
            NothingPublished: this part could not ask any partner.
            AuditorError: the part did not start; its `exit_status` says why.
        """
        self._progress = progress
        store = await run_in_thread(open_store, self._settings.store, create=True)
        runs = RunFolder(store.shared_files(), self._narrow.run)
        header = await run_in_thread(self._header, store, runs)
        self._reports.begin(header)
        progress.event("part.started", run=header.run_id, part=str(self._part))
        published = set(await run_in_thread(store.published))
        folder = self._scratch.enter_context(scratch(self._settings.state_dir))
        async with asyncio.TaskGroup() as group:
            for partner in self._partners:
                snapshot_id = header.snapshots[partner.tenant_id]
                if snapshot_id in published:
                    report = await run_in_thread(report_from_store, partner, store, snapshot_id)
                    self._reports.published(partner, report)
                    continue
                group.create_task(self._of_partner(partner, header, store, runs, folder))
        return self._ended()

    def _header(self, store: Store, runs: RunFolder) -> RunHeader:
        """Return the header of the run, which the first part puts."""
        now = never_back(self._runtime.now, store.last_published_at())
        tenants = [partner.tenant_id for partner in self._partners]
        new = Runs(self._settings.state_dir).begin(
            self._settings, self._narrow, tenants, now(), self._runtime.entropy()
        )
        header = runs.begin(new)
        check_same(header, self._settings, self._narrow)
        return header

    async def _of_partner(
        self, partner: Partner, header: RunHeader, store: Store, runs: RunFolder, folder: Path
    ) -> None:
        """Do the part of one partner. Its failure is recorded; the others go on."""
        shared = runs.of_partner(partner.tenant_id)
        own = folder / partner.tenant_id
        own.mkdir()
        job = self._job(partner, header, own)
        part = PartnerPart(
            job,
            store,
            self._progress,
            part=self._part,
            folder=shared,
            scratch=own,
            runtime=self._runtime,
        )
        try:
            check_secrets(self._settings, partner, self._runtime.environ)
            async with sending(
                job, self._runtime, now=self._runtime.now, budget=self._budget
            ) as send:
                await part.work(send)
        except Exception as failure:  # a partner must not end the others; a bug is raised below
            error = as_auditor_error(failure)
            self._reports.failed(partner, error)
            await run_in_thread(self._give_up, shared, error)
            if isinstance(error, Bug):
                raise
            self._progress.event(
                "part.failed", partner=partner.name, code=error.error_code, reason=error.message
            )

    def _give_up(self, shared: PartnerFolder, error: AuditorError) -> None:
        """Write why this part gave up a partner, unless it can go on when it is started again."""
        if isinstance(error, (Retryable, StoreError)):
            return
        failed = Failed(
            exit_status=error.exit_status, error_code=error.error_code, message=error.message
        )
        shared.fail(f"{self._part.number}-{self._runtime.entropy()}", failed)

    def _ended(self) -> RunReport:
        failures = list(self._reports.errors.values())
        why = f"part {self._part} is done; `auditor publish` publishes the run"
        if failures and len(failures) == len(self._reports.partners):
            cause = cause_of(failures)
            raise NothingPublished(cause, self.so_far(cause.exit_status, why)) from cause
        report = self.so_far(INCOMPLETE if failures else 0, why)
        self._progress.event("part.finished", run=report.run_id, part=str(self._part))
        return report

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
