"""Publishes one partner of a divided run, once all its buckets are done."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial

from auditor.concurrency import run_in_thread
from auditor.errors import AuditorError, Locked
from auditor.guard.conservation import check_listings
from auditor.model import Settled
from auditor.partner_center.client import Send
from auditor.progress import Progress
from auditor.run.job import Job
from auditor.run.partner import PartnerRun
from auditor.run.parts import result
from auditor.run.parts.bucket import with_learned
from auditor.run.parts.claims import LOOK_EVERY_S
from auditor.run.parts.folder import PartnerFolder
from auditor.run.parts.segments import collect
from auditor.scope import recall
from auditor.store.interface import Store


class PartsMissing(Locked):
    """A bucket of the run is not done yet, so the run cannot be published."""

    code = "E_PARTS_MISSING"


class PartGaveUp(AuditorError):
    """A part of the run could not ask a partner. The exit status is that of the part."""


class DividedPartnerRun(PartnerRun):
    """Publishes what the parts of a run have staged for one partner.

    Discovery is repeated from its journal and from what the store knew when the run began, so it
    finds and plans what it did for the parts, without a call.
    """

    def __init__(
        self,
        job: Job,
        store: Store,
        progress: Progress,
        *,
        now: Callable[[], datetime],
        folder: PartnerFolder,
    ) -> None:
        start = partial(folder.begin, partial(recall.at_start, store, job.partner.tenant_id))
        super().__init__(job, store, progress, now=now, read_start=start)
        self._folder = folder

    async def run(self, send: Send) -> None:
        """Publish; `made` then holds what was published.

        Raises:
            PartsMissing: a bucket is not done.
            PartGaveUp: a bucket is not done, because a part gave the partner up.
            FilesGone: another process has published meanwhile.
        """
        numbers = await self._when_done()
        path = self._job.folder / f"{self._job.partner.tenant_id}.journal"
        path.unlink(missing_ok=True)
        await collect(self._folder.files, self._folder.all_replies, path)
        async with self._recorded(send) as (journal, recorded), self.discovery:
            discovered = await self.discovery.find_all(recorded)
            check_listings(discovered.found)
            self.discovery.report_failed(discovered.found)
            with self._staged(discovered.found, discovered.plan) as staged:
                results = [
                    await run_in_thread(
                        result.get, self._folder.files, self._folder.result(place, number), staged
                    )
                    for place, number in numbers.items()
                ]
                settled: list[Settled] = []
                for each in results:
                    settled += each.settled
                    self._quarantine.take(each.unusable)
                plan = with_learned(discovered.plan, results)
                await journal.sync()
                await self._publish_staged(discovered.completed(plan), settled, staged, journal)
        await run_in_thread(self._folder.delete)

    async def _when_done(self) -> dict[str, int]:
        """Wait for missing parts as long as the user allows, and return `_numbers`."""
        clock = asyncio.get_running_loop().time
        give_up_at = clock() + self._job.narrow.wait_s
        while True:
            try:
                return await self.discovery.outage.retry(self._numbers)
            except PartsMissing:
                if clock() >= give_up_at:
                    raise
            await asyncio.sleep(LOOK_EVERY_S)

    def _numbers(self) -> dict[str, int]:
        """Return under which claim the counted result of each bucket was made."""
        places = [f"{bucket:02}" for bucket in range(self._store.buckets)]
        done = {place: self._folder.done(place) for place in places}
        missing = [place for place in places if done[place] is None]
        if not missing:
            return {place: one.number for place, one in done.items() if one is not None}
        failed = self._folder.failure()
        if failed is not None:
            error = PartGaveUp(failed.message, code=failed.error_code)
            error.exit_status = failed.exit_status  # type: ignore[misc] # that of the part
            raise error
        raise PartsMissing(
            f"{self._job.partner.name}: {len(missing)} of {len(places)} buckets are not done:"
            f" {', '.join(missing)}",
            hint="wait until all parts have ended; start a lost part again: auditor run --part",
        )
