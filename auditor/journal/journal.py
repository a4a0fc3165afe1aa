"""Durable progress of a run: every final reply, keyed by its question. What resume reads.

A record is `length, crc32, payload`; files are appended to and synced in groups, and a torn tail
is cut when a journal is opened again. Nothing is published from anything but the journal, so a
resumed run and an uninterrupted one see the same replies.
"""

import asyncio
import os
import struct
import zlib
from collections.abc import Awaitable, Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pyarrow as pa

from auditor import atomic_file
from auditor.atomic_file import sync_folder
from auditor.disk import private, refused
from auditor.errors import StoreFailed
from auditor.model import Reply, Request

SYNC_RECORDS = 64
SYNC_SECONDS = 1.0
"""A kill loses at most this much (promise P11)."""

_FRAME = struct.Struct("<II")
_COMPRESS_ABOVE = 512


class _Record(msgspec.Struct, array_like=True, frozen=True):
    key: bytes
    reply: Reply
    body_size: int
    """Of the decompressed body; -1 where the reply holds the body as it is."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Record)


class Journal:
    """The replies one partner's run has had so far, on disk."""

    def __init__(self, path: Path) -> None:
        """Open or go on with the journal at `path`.

        Raises:
            StoreUnwritable, StoreFailed: the file cannot be made or read.
        """
        self.path = path
        self.calls = 0
        """Of all that is settled, attempts counted one by one."""
        self.retries = 0
        self.throttled = 0
        self._index: dict[bytes, int] = {}
        """Where each record begins."""
        self._end = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not path.exists()
            self._file = private(str(path), os.O_RDWR | os.O_CREAT)
            for begin, end, record in _records(self._file):
                self._add(record, begin, end)
            os.ftruncate(self._file, self._end)
            if is_new:
                sync_folder(path.parent)
        except OSError as exc:
            raise refused(f"cannot open the journal {path}", exc) from exc
        self._unsynced = 0
        self._failure: StoreFailed | None = None
        self._syncing = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._late_syncs: set[asyncio.Task[None]] = set()

    def __contains__(self, key: bytes) -> bool:
        """Tell whether the question was settled."""
        return key in self._index

    def __len__(self) -> int:
        """Return how many questions are settled."""
        return len(self._index)

    def read(self, key: bytes) -> Reply:
        """Return the reply to a settled question."""
        return _reply_at(self._file, self._index[key])

    def _add(self, record: _Record, begin: int, end: int) -> None:
        if record.key not in self._index:
            self.calls += record.reply.attempts
            self.retries += max(record.reply.attempts - 1, 0)
            self.throttled += record.reply.throttled
        self._index[record.key] = begin
        self._end = end

    async def append(self, key: bytes, reply: Reply) -> None:
        """Keep a reply; a question that is settled already stays as it is.

        Raises:
            StoreFailed: the disk is full or failing.
        """
        if self._failure is not None:
            raise self._failure
        if key in self._index:
            return
        size = len(reply.body)
        if size > _COMPRESS_ABOVE:
            packed = pa.compress(reply.body, codec="zstd", asbytes=True)
            record = _Record(key, msgspec.structs.replace(reply, body=packed), size)
        else:
            record = _Record(key, reply, -1)
        payload = _encoder.encode(record)
        frame = _FRAME.pack(len(payload), zlib.crc32(payload))
        try:
            _write_all(self._file, frame + payload, self._end)
        except OSError as exc:
            raise StoreFailed(f"cannot write the journal {self.path}: {exc.strerror}") from exc
        self._add(record, self._end, self._end + _FRAME.size + len(payload))
        self._unsynced += 1
        if self._unsynced >= SYNC_RECORDS:
            await self.sync()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SYNC_SECONDS, self._sync_late)

    def _sync_late(self) -> None:
        task = asyncio.create_task(self.sync())
        self._late_syncs.add(task)
        task.add_done_callback(self._synced_late)

    def _synced_late(self, task: asyncio.Task[None]) -> None:
        self._late_syncs.discard(task)
        if not task.cancelled():
            task.exception()  # the next one to append or sync is told

    async def sync(self) -> None:
        """Make everything appended so far survive a power loss.

        Raises:
            StoreFailed: the disk is failing; the kernel says so once, so it is kept and said again.
        """
        async with self._syncing:
            if self._failure is not None:
                raise self._failure
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if not self._unsynced:
                return
            self._unsynced = 0
            try:
                await asyncio.to_thread(os.fdatasync, self._file)
            except OSError as exc:
                self._failure = StoreFailed(
                    f"cannot sync the journal {self.path}: {exc.strerror}",
                    hint="look at the disk, then --resume",
                )
                raise self._failure from exc

    async def close(self) -> None:
        """Sync and close."""
        try:
            await self.sync()
        finally:
            await asyncio.gather(*self._late_syncs, return_exceptions=True)
            os.close(self._file)

    def keep(self, which: str, useless: Container[bytes]) -> None:
        """Drop the replies of a finished run but those to be kept: `none`, `failed` or `all`.

        A reply is failed that is no success, or whose key is among the useless ones.
        """
        match which:
            case "none":
                self._rewrite(lambda _, __: False)
            case "failed":
                self._rewrite(lambda key, reply: key in useless or not _is_success(reply))
            case _:
                pass

    def forget_failures(self) -> None:
        """Drop what was not answered, so that a run that ended without a snapshot asks again."""
        self._rewrite(lambda _, reply: _is_success(reply))

    def _rewrite(self, is_kept: Callable[[bytes, Reply], bool]) -> None:
        try:
            with atomic_file.replacing(self.path) as kept:
                with open(kept.handle, "wb", closefd=False) as out:
                    for key, offset in self._index.items():
                        if is_kept(key, self.read(key)):
                            payload = _payload_at(self._file, offset)
                            out.write(_FRAME.pack(len(payload), zlib.crc32(payload)) + payload)
                kept.commit()
        except OSError as exc:
            raise StoreFailed(f"cannot rewrite the journal {self.path}: {exc.strerror}") from exc


@contextmanager
def reading(path: Path) -> Iterator[Callable[[bytes], Reply | None]]:
    """Open a journal to look replies up in; whoever writes it may be at work.

    One that is not there holds none.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield lambda _: None
        return
    try:
        index = {record.key: begin for begin, _, record in _records(file)}
        yield lambda key: _reply_at(file, index[key]) if key in index else None
    finally:
        os.close(file)


class Recorded:
    """Sends requests, unless the journal holds their replies from before."""

    def __init__(self, journal: Journal, send: Callable[[Request], Awaitable[Reply]]) -> None:
        self._journal = journal
        self._send = send

    async def __call__(self, request: Request) -> Reply:
        """Return the final reply to a request: the journal's, else Partner Center's."""
        key = request.key()
        if key in self._journal:
            return self._journal.read(key)
        reply = await self._send(request)
        await self._journal.append(key, reply)
        return reply


def _is_success(reply: Reply) -> bool:
    return 200 <= reply.status < 300  # noqa: PLR2004 - what HTTP calls a success


def _payload_at(file: int, offset: int) -> bytes:
    length, _ = _FRAME.unpack(os.pread(file, _FRAME.size, offset))
    return os.pread(file, length, offset + _FRAME.size)


def _reply_at(file: int, offset: int) -> Reply:
    record = _decoder.decode(_payload_at(file, offset))
    if record.body_size < 0:
        return record.reply
    body = pa.decompress(
        record.reply.body, decompressed_size=record.body_size, codec="zstd", asbytes=True
    )
    return msgspec.structs.replace(record.reply, body=body)


def _write_all(file: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written


def _records(file: int) -> Iterator[tuple[int, int, _Record]]:
    """Yield where each record begins and ends, and what it is, as far as they are whole.

    After a power loss a file may end in zeros: they are a frame whose checksum is right.
    """
    size = os.fstat(file).st_size
    begin = 0
    while begin + _FRAME.size <= size:
        length, crc = _FRAME.unpack(os.pread(file, _FRAME.size, begin))
        end = begin + _FRAME.size + length
        if not length or end > size:
            return
        payload = os.pread(file, length, begin + _FRAME.size)
        if zlib.crc32(payload) != crc:
            return
        try:
            record = _decoder.decode(payload)
        except msgspec.DecodeError:
            return
        yield begin, end, record
        begin = end
