"""Durable progress of a run: every final reply, keyed by its request. `--resume` reads it.

A record is `length, crc32, payload`. Records are appended, and synced in groups; an incomplete
record at the end is cut when a journal is opened again. Everything published comes from the
journal, so a resumed run and an uninterrupted one see the same replies.
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
from auditor.model import Reason, Reply, Request

SYNC_RECORDS = 64
SYNC_SECONDS = 1.0
"""A kill loses at most the replies of this many seconds (promise P11)."""

_FRAME = struct.Struct("<II")
_COMPRESS_ABOVE = 512


class _Record(msgspec.Struct, array_like=True, frozen=True):
    key: bytes
    reply: Reply
    body_size: int
    """Bytes of the decompressed body; -1 where the body is not compressed."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Record)


class Journal:
    """The replies of one partner's run so far, on disk."""

    def __init__(self, path: Path) -> None:
        """Open the journal at `path`, or create it.

        Raises:
            StoreUnwritable, StoreFailed: the file cannot be made or read.
        """
        self.path = path
        self.calls = 0
        """Calls of all journaled requests; each attempt counts."""
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
        """Return whether the request has a reply."""
        return key in self._index

    def __len__(self) -> int:
        """Return how many requests have a reply."""
        return len(self._index)

    def read(self, key: bytes) -> Reply:
        """Return the reply to a request that has one."""
        return _reply_at(self._file, self._index[key])

    def _add(self, record: _Record, begin: int, end: int) -> None:
        if record.key not in self._index:
            self.count(record.reply)
        self._index[record.key] = begin
        self._end = end

    def count(self, reply: Reply) -> None:
        """Count the calls of a reply."""
        self.calls += reply.attempts
        self.retries += max(reply.attempts - 1, 0)
        self.throttled += reply.throttled

    async def append(self, key: bytes, reply: Reply) -> None:
        """Store a reply, unless the journal has a reply to this request.

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
            task.exception()  # the next append or sync raises it

    async def sync(self) -> None:
        """Make everything appended so far survive a power loss.

        Raises:
            StoreFailed: the disk is failing. The kernel reports it once; later calls repeat it.
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

    def records_after(self, offset: int) -> tuple[bytes, int]:
        """Return the records that were appended after an offset, as they are on disk, and the end.

        The bytes of one journal can be appended to another file: that is a journal too.
        """
        end = self._end
        return os.pread(self._file, end - offset, offset), end

    def keep(self, which: str, useless: Container[bytes]) -> None:
        """Keep only the replies that `which` names: `none`, `failed` or `all`.

        A reply is failed if its status is no success, or its key is in `useless`.
        """
        match which:
            case "none":
                self._rewrite(lambda _, __: False)
            case "failed":
                self._rewrite(lambda key, reply: key in useless or not _is_success(reply))
            case _:
                pass

    def forget_failures(self) -> None:
        """Drop the failed replies: a resumed run without a snapshot sends their requests anew."""
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
    """Open a journal to look replies up in; another process may be writing it.

    A journal that does not exist holds no replies.
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


def replies(path: Path) -> Iterator[Reply]:
    """Yield every reply of a journal."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for begin, _, _ in _records(file):
            yield _reply_at(file, begin)
    finally:
        os.close(file)


class Recorded:
    """Sends requests whose replies the journal does not hold yet."""

    def __init__(self, journal: Journal, send: Callable[[Request], Awaitable[Reply]]) -> None:
        self._journal = journal
        self._send = send

    async def __call__(self, request: Request) -> Reply:
        """Return the final reply to a request: the journal's, else Partner Center's.

        A request that was not sent in time is not journaled: a resumed run has time to send it.
        """
        key = request.key()
        if key in self._journal:
            return self._journal.read(key)
        reply = await self._send(request)
        if reply.cause == Reason.DEADLINE:
            self._journal.count(reply)
            return reply
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
    """Yield the begin, the end and the content of each record, up to the first incomplete one.

    After a power loss a file may end in zeros. They look like an empty record whose checksum is
    right.
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
