"""One partner's run: discover, plan, fetch, publish. Partners share nothing."""

import shutil
from collections.abc import AsyncIterator, Callable, Container
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from auditor.concurrency import run_in_thread
from auditor.errors import Locked, Retryable, StoreFailed
from auditor.fetch.fetch import Fetch
from auditor.guard.conservation import check_listings
from auditor.guard.mass_changes import Guard
from auditor.journal import quarantine
from auditor.journal.journal import Journal, Recorded
from auditor.journal.quarantine import Quarantine
from auditor.model import Settled
from auditor.normalize.staged import Staged
from auditor.partner_center.client import Send
from auditor.plan.plan import Plan
from auditor.progress import Progress
from auditor.publish.publish import Publisher
from auditor.publish.snapshot import Published
from auditor.run.check import Checking
from auditor.run.discover import Discovered, Discovery
from auditor.run.job import CallCounts, Job
from auditor.run.naming import Naming
from auditor.scope import recall
from auditor.scope.found import Found
from auditor.scope.known import AtStart
from auditor.store.interface import Store

QUEUED_PER_CONNECTION = 16
"""Calls queued per connection. A customer may hold 1/16 of the connections, so with 16 queued per
connection one hanging customer cannot fill the queue."""


class PartnerRun:
    """Takes one partner through the pipeline."""

    def __init__(
        self,
        job: Job,
        store: Store,
        progress: Progress,
        *,
        now: Callable[[], datetime],
        naming: Naming | None = None,
        read_start: Callable[[], AtStart] | None = None,
    ) -> None:
        """`naming` and `read_start` as in `Discovery`; by default, the store is read."""
        self._job = job
        self._store = store
        self._progress = progress
        self._now = now
        self._quarantine = Quarantine()
        read_start = read_start or partial(recall.at_start, store, job.partner.tenant_id)
        self.discovery = Discovery(job, read_start, progress, self._quarantine, naming=naming)
        self.calls = 0
        """Calls made so far, by earlier processes of the run too."""
        self.made: tuple[Published, CallCounts] | None = None
        """Set as soon as the snapshot is published, so that a run stopped just then reports it."""

    @asynccontextmanager
    async def _recorded(self, send: Send) -> AsyncIterator[tuple[Journal, Recorded]]:
        journal = Journal(self._job.folder / f"{self._job.partner.tenant_id}.journal")
        try:
            yield journal, Recorded(journal, send)
        except Retryable:
            journal.forget_failures()
            raise
        finally:
            self.calls = journal.calls
            await journal.close()

    async def run(self, send: Send) -> None:
        """Ask and publish; `made` then holds what was published.

        Raises:
            PartnerCenterError: the partner is out: its credential is refused, or it is unreachable.
            ScopeError, UsageError, NothingNamed: as `Discovery.find_most`; nothing is published.
        """
        name = self._job.partner.name
        async with self._recorded(send) as (journal, recorded), self.discovery:

            def body(key: bytes) -> bytes:
                return journal.read(key).body

            discovered = await self.discovery.find_most(recorded)
            checking = Checking(
                fetching(self._job, recorded, self._progress),
                self._progress,
                name,
                self.discovery.outage,
            )
            plan = await checking.ask(discovered.plan, self.discovery.find_rest)
            discovered = discovered.completed(plan)
            check_listings(discovered.found)
            self.discovery.report_failed(discovered.found)
            with self._staged(discovered.found, plan) as staged:
                await checking.stage_and_recheck(
                    plan, Guard(self._store, staged, plan), staged, body
                )
                await journal.sync()
                self._quarantine.settle([*checking.settled, *checking.second_answers], body)
                await self._publish_staged(discovered, checking.settled, staged, journal)

    async def _publish_staged(
        self, discovered: Discovered, settled: list[Settled], staged: Staged, journal: Journal
    ) -> None:
        self._quarantine.save(self._records)
        self._progress.phase(self._job.partner.name, "publishing")
        counts = CallCounts(
            calls=journal.calls, retries=journal.retries, throttled=journal.throttled
        )
        await self.discovery.outage.retry(
            self._publish, discovered, settled, counts, staged, journal
        )

    async def clean_up(self) -> None:
        """Finish the work of a process that was killed after it had published."""
        if self._staging.exists():
            journal = Journal(self._job.folder / f"{self._job.partner.tenant_id}.journal")
            self._thin_out(journal, quarantine.keys(self._records))
            await journal.close()
            with suppress(Locked):  # the process that holds the lock recovers too
                await run_in_thread(self._store.recover)
            shutil.rmtree(self._staging, ignore_errors=True)

    @property
    def _staging(self) -> Path:
        """The folder of staged answers. It is removed last: if it exists, `clean_up` has work."""
        return self._job.folder / f"{self._job.partner.tenant_id}.staged"

    @property
    def _records(self) -> Path:
        return quarantine.path_of(self._job.folder, self._job.partner.tenant_id)

    def _thin_out(self, journal: Journal, unusable: Container[bytes]) -> None:
        try:
            journal.keep(self._job.settings.run.keep_raw.value, unusable)
        except StoreFailed as error:  # the snapshot is published all the same
            name = self._job.partner.name
            self._progress.event("journal.kept_whole", partner=name, reason=error.message)

    def _staged(self, found: Found, plan: Plan) -> Staged:
        return Staged(self._staging, found, plan, buckets=self._store.buckets)

    def _publish(
        self,
        discovered: Discovered,
        settled: list[Settled],
        counts: CallCounts,
        staged: Staged,
        journal: Journal,
    ) -> None:
        publisher = Publisher(
            self._store,
            discovered.found,
            discovered.plan,
            staged,
            at_start={cell: before.snapshot_id for cell, before in discovered.at_start.items()},
            now=self._now,
        )
        self.made = publisher.publish(self._job.snapshot(counts), settled), counts
        self._thin_out(journal, self._quarantine.keys)


def fetching(job: Job, send: Send, progress: Progress) -> Fetch:
    """Return what asks a partner's checks."""
    return Fetch(
        send,
        partial(progress.event, partner=job.partner.name),
        lifecycle=job.settings.scope.lifecycle,
        at_once=QUEUED_PER_CONNECTION * job.partner.limits.concurrency,
    )
