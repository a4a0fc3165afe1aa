"""One part of a divided run: `auditor run --part I/N --run ID`.

A part asks its buckets of each partner and stages their answers; it publishes nothing. It also
takes over buckets of other parts whose process has ended without finishing them.
"""

import os
import socket
from contextlib import AbstractAsyncContextManager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

from auditor.concurrency import run_in_thread
from auditor.journal.journal import Journal, Recorded
from auditor.journal.quarantine import Quarantine
from auditor.partner_center.client import Send
from auditor.progress import Progress
from auditor.run.discover import Discovered, Discovery
from auditor.run.job import Job
from auditor.run.outage import Outage
from auditor.run.parts import result
from auditor.run.parts.bucket import BucketWork, part_of, with_learned
from auditor.run.parts.claims import LOOK_EVERY_S, Claim, Claims
from auditor.run.parts.folder import DISCOVERY, Done, FilesGone, PartnerFolder
from auditor.run.parts.result import Result
from auditor.run.parts.segments import ClaimLost, collect, shared_journal
from auditor.run.runtime import Runtime
from auditor.scope import recall
from auditor.settings import Part
from auditor.store.interface import Store


class PartnerPart:
    """One part's work on one partner."""

    def __init__(
        self,
        job: Job,
        store: Store,
        progress: Progress,
        *,
        part: Part,
        folder: PartnerFolder,
        scratch: Path,
        runtime: Runtime,
    ) -> None:
        """`scratch` is an empty folder that no other process uses."""
        self._job = job
        self._store = store
        self._progress = progress
        self._part = part
        self._folder = folder
        self._scratch = scratch
        self._runtime = runtime
        self._claims = Claims(
            folder.files,
            folder.claims,
            holder=f"part {part}, host {socket.gethostname()}, pid {os.getpid()}",
            now=runtime.now,
            lease=timedelta(seconds=job.settings.run.lease_seconds),
        )
        self._known = partial(recall.at_start, store, job.partner.tenant_id)
        self._outage = Outage(job.database_s, job.partner.name, progress)
        self._results: list[Result] = []
        """The results of this process, for what it has learned."""

    async def work(self, send: Send) -> None:
        """Do this part's buckets, and those that other parts have lost.

        Returns when all buckets of this part are done, by whichever process.

        Raises:
            PartnerCenterError, ScopeError: the partner is out, as in an undivided run.
        """
        with suppress(FilesGone):  # the run is published: nothing is left to do
            discovered = await self._discovered(send)
            while (place := await run_in_thread(self._next)) is not None:
                if not place:
                    await self._runtime.sleep(LOOK_EVERY_S)
                elif (claim := await run_in_thread(self._claims.take, place)) is not None:
                    with suppress(ClaimLost):
                        await self._ask(claim, discovered, send)

    async def _discovered(self, send: Send) -> Discovered:
        """Discover, or repeat from the replies what another process has discovered."""
        while await run_in_thread(self._folder.done, DISCOVERY) is None:
            claim = await run_in_thread(self._claims.take, DISCOVERY)
            if claim is None:
                await self._runtime.sleep(LOOK_EVERY_S)
                continue
            with suppress(ClaimLost):
                async with self._journal(claim) as journal:
                    found = await self._find_all(Recorded(journal, send))
                await run_in_thread(self._folder.finish, DISCOVERY, Done(number=claim.number))
                return found
        path = self._scratch / f"{DISCOVERY}.journal"
        await collect(self._folder.files, self._folder.replies(DISCOVERY), path)
        journal = Journal(path)
        try:
            return await self._find_all(Recorded(journal, send))
        finally:
            await journal.close()

    async def _find_all(self, send: Send) -> Discovered:
        start = partial(self._folder.begin, self._known)
        async with Discovery(self._job, start, self._progress, Quarantine()) as discovery:
            return await discovery.find_all(send)

    def _next(self) -> str | None:
        """Return a place to work on, '' to wait for another process, None if all is done."""
        done, claimed = self._folder.places_done(), self._claims.highest()
        places = [f"{n:02}" for n in range(self._store.buckets)]
        mine = [place for n, place in enumerate(places) if self._part.has(n)]
        left = [place for place in mine if place not in done]
        lost = [place for place in places if place in claimed and place not in {*done, *mine}]
        for place in (*left, *lost):
            if place not in claimed or self._claims.is_over(place, claimed[place]):
                return place
        return "" if left else None

    async def _ask(self, claim: Claim, discovered: Discovered, send: Send) -> None:
        """Ask one bucket, and put its result."""
        bucket, done, files = int(claim.place), Done(number=claim.number), self._folder.files
        plan = part_of(discovered.plan, bucket, self._store.buckets)
        plan = with_learned(plan, self._results)
        work = BucketWork(self._job, self._store, self._progress, self._outage)
        staging = self._scratch / claim.place
        async with self._journal(claim) as journal:
            asked = work.asked(discovered.found, plan, journal, send, staging)
            async with asked as (made, staged):
                folder = self._folder.result(claim.place, done.number)
                await run_in_thread(result.put, files, folder, made, staged, bucket)
        await run_in_thread(self._folder.finish, claim.place, done)
        self._results.append(made)
        self._progress.event(
            "part.bucket_done", partner=self._job.partner.name, part=str(self._part), bucket=bucket
        )

    def _journal(self, claim: Claim) -> AbstractAsyncContextManager[Journal]:
        replies = self._folder.replies(claim.place)
        path = self._scratch / f"{claim.place}-{claim.number}.journal"
        return shared_journal(self._folder.files, replies, claim, path)
