"""One partner's run: discover, plan, fetch, publish. Partners share nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

from auditor.checking import Checking
from auditor.discovery import Discovered, Discovery, Send
from auditor.errors import Retryable
from auditor.facts import Found
from auditor.fetch import Fetch
from auditor.guard import Guard
from auditor.job import Asked, Job
from auditor.journal import Journal, Recorded
from auditor.model import (
    Outcome,
    Settled,
)
from auditor.plan import Plan
from auditor.progress import Progress
from auditor.publish import Published, Publisher
from auditor.quarantine import Quarantine, path_of
from auditor.staged import Staged
from auditor.store.parquet import FolderStore

WAITING = 16
"""Calls that may wait in line for each connection: as many as one customer may hold connections,
the other way round, so that those of a customer that hangs do not keep the others from the line."""


class PartnerRun:
    """Takes one partner through the pipeline."""

    def __init__(
        self,
        job: Job,
        store: FolderStore,
        progress: Progress,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._job = job
        self._store = store
        self._progress = progress
        self._now = now
        self._quarantine = Quarantine()
        self.discovery = Discovery(job, store, progress, self._quarantine.refuse)

    @asynccontextmanager
    async def _recorded(self, send: Send) -> AsyncIterator[tuple[Journal, Recorded]]:
        journal = Journal(self._job.folder / f"{self._job.partner.tenant_id}.journal")
        try:
            yield journal, Recorded(journal, send)
        except Retryable:
            journal.forget_failures()
            raise
        finally:
            await journal.close()

    async def run(self, send: Send) -> tuple[Published, Asked]:
        """Return what was published.

        Raises:
            PartnerCenterError: the partner is out: its credential is refused, or it is unreachable.
            ScopeError: there is nobody and nothing to ask about; nothing is published.
        """
        name = self._job.partner.name
        async with self._recorded(send) as (journal, recorded), self.discovery:

            def body(key: bytes) -> bytes:
                return journal.read(key).body

            discovered = await self.discovery.most(recorded)
            fetch = self._fetching(discovered.plan, recorded)
            checking = Checking(fetch, self._progress, name)
            await checking.ask(self.discovery.rest)
            discovered = discovered.completed(fetch.plan)
            with self._staged(discovered.found, fetch.plan) as staged:
                await checking.doubt(Guard(self._store, staged, fetch.plan), staged, body)
                settled = checking.settled
                await journal.sync()
                self._quarantine.settle([*settled, *checking.again], body)
                self._quarantine.save(path_of(self._job.folder, self._job.partner.tenant_id))
                self._progress.phase(name, "publishing")
                asked = Asked(
                    calls=recorded.calls, retries=recorded.retries, throttled=recorded.throttled
                )
                published = await asyncio.to_thread(
                    self._publish, discovered, settled, asked, staged
                )
            useless = {s.key for s in settled if s.outcome is Outcome.FAILED}
            journal.keep(self._job.settings.run.keep_raw.value, useless | self._quarantine.keys)
        return published, asked

    def _fetching(self, plan: Plan, send: Send) -> Fetch:
        return Fetch(
            send,
            plan,
            partial(self._progress.event, partner=self._job.partner.name),
            lifecycle=self._job.settings.scope.lifecycle,
            at_once=WAITING * self._job.partner.limits.concurrency,
        )

    def _staged(self, found: Found, plan: Plan) -> Staged:
        job = self._job
        folder = job.folder / f"{job.partner.tenant_id}.staged"
        return Staged(folder, found, plan, buckets=self._store.buckets)

    def _publish(
        self, discovered: Discovered, settled: list[Settled], asked: Asked, staged: Staged
    ) -> Published:
        publisher = Publisher(
            self._store,
            discovered.found,
            discovered.plan,
            staged,
            at_start={cell: before.snapshot_id for cell, before in discovered.at_start.items()},
            now=self._now,
        )
        return publisher.publish(self._job.snapshot(asked), settled)
