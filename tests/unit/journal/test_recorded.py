"""Each question is asked and recorded once; a disk failure stops the run."""

import asyncio
import errno
import gc
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from auditor.errors import AuditorError, StoreFailed
from auditor.journal.journal import Journal, Recorded
from auditor.model import ApiClass, Reply, Request
from tests.unit.journal.test_journal import FAILED, OK, filled, held, key, size_of

# Recorded -----------------------------------------------------------------------------------

ASK = Request(endpoint="e", method="GET", path="/v1/p", api_class=ApiClass.CATALOG)


class Sender:
    def __init__(self, *script: Reply) -> None:
        self.script = list(script)
        self.asked: list[Request] = []

    async def __call__(self, request: Request) -> Reply:
        self.asked.append(request)
        return self.script.pop(0)


@pytest.mark.asyncio
async def test_a_resumed_run_reads_recorded_replies_and_asks_only_the_rest(tmp_path: Path) -> None:
    """P11."""
    other = msgspec.structs.replace(ASK, path="/v1/q")
    journal = Journal(tmp_path / "p.journal")
    first = await Recorded(journal, Sender(FAILED))(ASK)
    await journal.close()

    journal = Journal(tmp_path / "p.journal")
    sender = Sender(OK)
    recorded = Recorded(journal, sender)
    assert [await recorded(ASK), await recorded(other)] == [first, OK]
    assert sender.asked == [other]
    assert (journal.calls, journal.retries) == (4, 2)
    await journal.close()


@pytest.mark.asyncio
async def test_a_question_of_a_second_round_is_another_question(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "p.journal")
    sender = Sender(OK, FAILED)
    recorded = Recorded(journal, sender)
    assert await recorded(ASK) == OK
    assert await recorded(msgspec.structs.replace(ASK, round=1)) == FAILED
    assert await recorded(ASK) == OK
    assert len(sender.asked) == 2
    await journal.close()


@pytest.mark.asyncio
async def test_each_question_is_counted_once_with_its_attempts(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "p.journal")
    throttled = msgspec.structs.replace(OK, attempts=3, throttled=2)
    recorded = Recorded(journal, Sender(throttled))
    for _ in range(3):
        await recorded(ASK)
    assert (journal.calls, journal.retries, journal.throttled) == (3, 2, 2)
    await journal.close()


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Make a write beyond this size fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.asyncio
async def test_a_failing_disk_stops_the_run(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "p.journal")
    await journal.append(key(0), OK)
    limit = no_file_larger_than(size_of(journal.path) + 10)
    with limit, pytest.raises(StoreFailed, match="cannot write the journal"):
        await journal.append(key(1), OK)
    assert key(1) not in journal
    await journal.close()
    assert await held(journal.path) == {0: OK}


class BrokenDisk:
    """Replaces `os.fdatasync`; its first calls fail, as on a disk that loses writes."""

    def __init__(self, failing: int = 1) -> None:
        self.calls = 0
        self._failing = failing

    def __call__(self, _: int) -> None:
        self.calls += 1
        if self.calls <= self._failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.asyncio
async def test_a_background_sync_that_fails_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """P30, P33: the kernel reports a lost write only once, so a later success proves nothing."""
    monkeypatch.setattr("auditor.journal.journal.SYNC_SECONDS", 0.0)
    disk = BrokenDisk()
    monkeypatch.setattr(os, "fdatasync", disk)
    journal = Journal(tmp_path / "p.journal")
    await journal.append(key(0), OK)
    while journal._late_syncs or not disk.calls:  # noqa: SLF001, ASYNC110 - shown only here
        await asyncio.sleep(0)
    for again in (journal.append(key(1), OK), journal.sync(), journal.close()):
        with pytest.raises(StoreFailed, match=r"cannot sync the journal .*: Input/output"):
            await again
    gc.collect()
    assert caplog.records == []  # asyncio logs an error that no code retrieved
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(journal._file)  # noqa: SLF001 - shows that it was closed


@pytest.mark.asyncio
async def test_the_name_of_a_new_journal_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P11, fault 5: without this, a power loss may lose the file although its data are synced."""
    synced: list[Path] = []
    monkeypatch.setattr(
        os, "fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink())
    )
    await Journal(tmp_path / "p.journal").close()
    assert synced == [tmp_path]
    await Journal(tmp_path / "p.journal").close()
    assert synced == [tmp_path]


@pytest.mark.parametrize(
    ("number", "status"), [(errno.ENOSPC, 74), (errno.EMFILE, 74), (errno.EACCES, 73)]
)
def test_the_reason_why_it_cannot_be_opened_decides_the_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    """P30."""

    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(AuditorError, match="cannot open the journal") as refusal:
        Journal(tmp_path / "p.journal")
    assert refusal.value.exit_status == status


@pytest.mark.asyncio
async def test_a_journal_that_cannot_be_rewritten_stays_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "p.journal"
    await filled(path, FAILED, FAILED)
    journal = Journal(path)
    refusal = pytest.raises(StoreFailed, match="cannot rewrite the journal")
    with no_file_larger_than(50), refusal:
        journal.keep("failed", ())
    await journal.close()
    assert sorted(os.listdir(tmp_path)) == ["p.journal"]  # noqa: PTH208
    assert await held(path) == {0: FAILED, 1: FAILED}
