"""The journal keeps every reply of a run, however the run is interrupted."""

import asyncio
import os
import struct
import zlib
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor import atomic_file
from auditor.errors import StoreUnwritable
from auditor.journal.journal import SYNC_RECORDS, Journal
from auditor.model import Reply

AT = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
OK = Reply(status=200, body=b"[]", sent_at=AT, request_id="r1")
LARGE = msgspec.structs.replace(OK, body=b"x" * 5000)
FAILED = Reply(status=503, body=b"busy", sent_at=AT, attempts=3)
SILENT = Reply(status=0, cause="timeout", sent_at=AT)


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def size_of(path: Path) -> int:
    return path.stat().st_size


async def filled(path: Path, *replies: Reply) -> list[int]:
    """Write a journal; return where each record ends."""
    journal = Journal(path)
    ends = []
    for number, reply in enumerate(replies):
        await journal.append(key(number), reply)
        ends.append(size_of(path))
    await journal.close()
    return ends


async def held(path: Path) -> dict[int, Reply]:
    """Open a journal, return its replies, and close it."""
    journal = Journal(path)
    replies = {n: journal.read(key(n)) for n in range(200) if key(n) in journal}
    assert len(journal) == len(replies)
    await journal.close()
    return replies


@pytest.mark.asyncio
async def test_every_reply_is_read_back_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "p.journal"
    await filled(path, OK, LARGE, FAILED, SILENT)
    assert await held(path) == {0: OK, 1: LARGE, 2: FAILED, 3: SILENT}
    assert path.stat().st_size < 5000


@pytest.mark.asyncio
async def test_a_torn_tail_is_cut_at_every_byte_of_the_last_record(tmp_path: Path) -> None:
    """P11: a kill in the middle of a write loses that record and no other."""
    path = tmp_path / "p.journal"
    ends = await filled(path, OK, FAILED, OK)
    whole = path.read_bytes()
    for length in range(ends[1], ends[2]):
        path.write_bytes(whole[:length])
        assert await held(path) == {0: OK, 1: FAILED}
        assert path.stat().st_size == ends[1]


@pytest.mark.asyncio
async def test_a_journal_whose_torn_tail_was_cut_takes_new_records(tmp_path: Path) -> None:
    path = tmp_path / "p.journal"
    ends = await filled(path, OK, FAILED)
    path.write_bytes(path.read_bytes()[: ends[1] - 1])
    journal = Journal(path)
    await journal.append(key(1), SILENT)
    await journal.append(key(2), LARGE)
    await journal.close()
    assert await held(path) == {0: OK, 1: SILENT, 2: LARGE}


@pytest.mark.asyncio
async def test_a_flipped_bit_loses_no_earlier_record(tmp_path: Path) -> None:
    path = tmp_path / "p.journal"
    ends = await filled(path, OK, FAILED)
    whole = path.read_bytes()
    for place in range(ends[0], ends[1]):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            path.write_bytes(damaged)
            assert await held(path) == {0: OK}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "tail",
    [
        bytes(4096),
        bytes(8),
        b"\xff" * 64,
        struct.pack("<II", 2**32 - 1, 0) + b"x" * 100,
        struct.pack("<II", 4, 0x48839247) + b"????",
    ],
)
async def test_garbage_left_at_the_end_by_a_power_loss_is_cut(tmp_path: Path, tail: bytes) -> None:
    """Where data was never written, a file system may give zeros or blocks of other files."""
    path = tmp_path / "p.journal"
    ends = await filled(path, OK, FAILED)
    with path.open("ab") as file:
        file.write(tail)
    assert await held(path) == {0: OK, 1: FAILED}
    assert path.stat().st_size == ends[1]


@pytest.mark.asyncio
async def test_a_journal_ends_at_a_complete_record_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "p.journal"
    await filled(path, OK)
    payload = msgspec.msgpack.encode({"not": "a record"})
    with path.open("ab") as file:
        file.write(struct.pack("<II", len(payload), zlib.crc32(payload)) + payload)
    assert await held(path) == {0: OK}


replies = st.builds(
    Reply,
    status=st.sampled_from([0, 200, 404, 503]),
    body=st.binary(max_size=2000),
    cause=st.sampled_from(["", "timeout"]),
    request_id=st.text(max_size=5),
    attempts=st.integers(1, 3),
    throttled=st.integers(0, 3),
    sent_at=st.just(AT),
)


@given(st.lists(st.tuples(st.integers(0, 20), replies), max_size=30), st.integers(0, 30))
@settings(deadline=None, max_examples=50)
def test_a_reopened_journal_holds_the_first_reply_to_each_question(
    tmp_path_factory: pytest.TempPathFactory, appended: list[tuple[int, Reply]], reopened: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "p.journal"

    async def write() -> dict[int, Reply]:
        journal = Journal(path)
        for place, (number, reply) in enumerate(appended):
            if place == reopened:
                await journal.close()
                journal = Journal(path)
            await journal.append(key(number), reply)
        await journal.close()
        return await held(path)

    expected: dict[int, Reply] = {}
    for number, reply in appended:
        expected.setdefault(number, reply)
    assert asyncio.run(write()) == expected


@pytest.mark.asyncio
async def test_a_journal_is_synced_after_at_most_64_records(tmp_path: Path) -> None:
    """P11: a power loss loses at most 64 answers or one second."""
    assert SYNC_RECORDS <= 64
    journal = Journal(tmp_path / "p.journal")
    unsynced = []
    for number in range(3 * SYNC_RECORDS):
        await journal.append(key(number), OK)
        unsynced.append(journal._unsynced)  # noqa: SLF001 - a sync shows only here
    await journal.close()
    assert max(unsynced) < SYNC_RECORDS
    assert unsynced.count(0) == 3


@pytest.mark.asyncio
async def test_records_appended_at_once_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "p.journal"
    journal = Journal(path)
    await asyncio.gather(*(journal.append(key(n), OK) for n in range(150)))
    await journal.sync()
    assert (await held(path)).keys() == set(range(150))
    await journal.close()


# Replies kept after a run ---------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("setting", "kept"), [("none", set()), ("failed", {1, 2, 3}), ("all", {0, 1, 2, 3})]
)
async def test_a_finished_run_keeps_only_the_raw_replies_that_are_set(
    tmp_path: Path, setting: str, kept: set[int]
) -> None:
    """A successful reply that could not be used, like the second one here, counts as failed."""
    path = tmp_path / "p.journal"
    await filled(path, OK, LARGE, FAILED, SILENT)
    journal = Journal(path)
    journal.keep(setting, {key(1)})
    await journal.close()
    assert (await held(path)).keys() == kept
    assert sorted(os.listdir(tmp_path)) == ["p.journal"]  # noqa: PTH208


@pytest.mark.asyncio
async def test_a_run_without_a_snapshot_drops_its_failed_replies(tmp_path: Path) -> None:
    path = tmp_path / "p.journal"
    await filled(path, OK, FAILED, SILENT, LARGE)
    journal = Journal(path)
    journal.forget_failures()
    await journal.close()
    assert await held(path) == {0: OK, 3: LARGE}


@pytest.mark.asyncio
async def test_no_other_user_can_read_a_journal(tmp_path: Path) -> None:
    """S18, S12: replies hold customers' data."""
    path = tmp_path / "p.journal"
    await filled(path, OK)
    assert path.stat().st_mode & 0o077 == 0
    journal = Journal(path)
    journal.keep("failed", ())
    await journal.close()
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.asyncio
async def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    """S12."""
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "p.journal").symlink_to(tmp_path / "victim")
    with pytest.raises(StoreUnwritable):
        Journal(tmp_path / "p.journal")
    path = tmp_path / "q.journal"
    await filled(path, OK, FAILED)
    atomic_file.temporary_name(path).symlink_to(tmp_path / "victim")
    journal = Journal(path)
    journal.keep("failed", ())
    await journal.close()
    assert (tmp_path / "victim").read_bytes() == b"precious"


# Faults of the disk ---------------------------------------------------------------------


def test_a_journal_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnwritable, match="cannot open the journal"):
        Journal(tmp_path / "file" / "p.journal")
