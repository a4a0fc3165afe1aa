"""The journal of a place, shared with the processes that may take the place over.

Whenever the journal is synced, its new records are put as one shared file. A process that takes
over begins with all of them, so it asks again only what was in flight or not synced (promise P11).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from auditor.concurrency import run_in_thread
from auditor.errors import Retryable
from auditor.journal.journal import Journal
from auditor.run.parts.claims import Claim
from auditor.store.shared_files import SharedFiles

_WITHOUT_FAILURES = "without-failures"
"""Ends the name of an empty file: the failed replies in the files before it do not count."""


class ClaimLost(Exception):
    """Another process has taken over the place: this one was stopped for longer than the lease."""


async def collect(files: SharedFiles, folder: str, path: Path) -> None:
    """Append the shared records of one place, or of all, to the journal at `path`.

    A record may be shared twice: a journal counts it once.
    """
    for name in await run_in_thread(files.names, folder):
        if name.endswith(_WITHOUT_FAILURES):
            journal = Journal(path)
            journal.forget_failures()
            await journal.close()
            continue
        records = await run_in_thread(files.get, name)
        with path.open("ab") as journal_file:
            journal_file.write(records or b"")


class SharedJournal(Journal):
    """A journal whose new records are also put into the shared files when it is synced."""

    def __init__(self, path: Path, files: SharedFiles, prefix: str) -> None:
        """`prefix` begins the names of the shared files. See `Journal`."""
        super().__init__(path)
        self._files = files
        self._prefix = prefix
        self._count = 0
        self._shared_up_to = self._end
        self._sharing = asyncio.Lock()

    async def sync(self) -> None:
        """Sync, and share the records that are not shared yet.

        Raises:
            StoreError: the disk or the store is failing.
        """
        await super().sync()
        async with self._sharing:
            records, end = self.records_after(self._shared_up_to)
            if records:
                await self._put(f"{self._count:06}", records)
                self._count += 1
                self._shared_up_to = end

    async def share_no_failures(self) -> None:
        """Let the failed replies so far not count: whoever goes on sends their requests anew."""
        await self.sync()
        await self._put(_WITHOUT_FAILURES, b"")

    async def _put(self, name: str, data: bytes) -> None:
        await run_in_thread(self._files.put_if_absent, f"{self._prefix}-{name}", data)


@asynccontextmanager
async def shared_journal(
    files: SharedFiles, folder: str, claim: Claim, path: Path
) -> AsyncIterator[SharedJournal]:
    """Open the journal of a claimed place at a new path, with all records that others have shared.

    While it is open, the claim is renewed.

    Raises:
        ClaimLost: another process took the place over; it has the records that were shared.
        StoreError: the store failed.
    """
    await collect(files, folder, path)
    journal = SharedJournal(path, files, f"{folder}/{claim.number:06}")
    try:
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(_keep(claim))
            yield journal
            await journal.sync()
            keeper.cancel()
    except BaseExceptionGroup as failures:
        failure = failures.exceptions[0]
        if isinstance(failure, Retryable):
            await journal.share_no_failures()
        raise failure from None
    finally:
        await journal.close()


async def _keep(claim: Claim) -> None:
    """Renew a claim until cancelled."""
    while True:
        await asyncio.sleep(claim.renew_every_s)
        if not await run_in_thread(claim.renew):
            raise ClaimLost(claim.place)
