"""Harmful bodies over a real socket: each ends with a typed result, and memory stays small."""

import asyncio
import gzip
import hashlib
import sys
from pathlib import Path

import pytest

from auditor.errors import UnexpectedReply, Unreachable
from auditor.partner_center import decoding
from auditor.partner_center.replies import error_of
from tests.builders.nightly import IS_SOAK
from tests.builders.raw_server import always, ask, serving
from tests.service.partner_center.test_transport_faults import CHUNKED, reply_of, zeros

ITEM = b'{"productId":"P","skuId":"0011","isRestricted":true,"restrictions":[]}'
MOST = 32 * 2**20
AT_ONCE = 32 if IS_SOAK else 10


def plain(body: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def filled(value: bytes) -> bytes:
    """Return an array of one value, as large as a body may be."""
    return plain(b"[" + (value + b",") * ((MOST - 10) // (len(value) + 1)) + value + b"]")


HOSTILE = [
    filled(b"0"),
    filled(b"{}"),
    filled(b"[]"),
    filled(b"null"),
    filled(ITEM),
    plain(b"[" * (MOST - 1)),
    plain(b'{"items":["' + b"x" * (MOST - 40) + b'"]}'),
    plain(b"[" + bytes(100 * 2**20)),
    reply_of(zeros(300 * 2**20), "gzip"),
    reply_of(gzip.compress(filled(b"{}"), 1), "gzip"),
]


CUT = b"HTTP/1.1 200 OK\r\n\r\n" + b"[" + ITEM + b"," + ITEM[:-9]
BAD = {
    "html": plain(b"<html><body>Service unavailable</body></html>"),
    "utf-16": plain(("[" + ITEM.decode() + "]").encode("utf-16")),
    "latin-1": plain(b'[{"productId":"\xe9","skuId":"1","isRestricted":true}]'),
    "trailing garbage": plain(b"[" + ITEM + b"]]"),
    "two answers": plain(b"[][]"),
    "an error": plain(b'{"code":"900000","description":"no"}'),
    "an error and no code": plain(b'{"error":{"message":"no"}}'),
    "nan": plain(b'[{"productId":"P","isRestricted":NaN}]'),
    "infinity": plain(b"[Infinity]"),
    "cut where the connection ends": CUT,
    "compressed twice": reply_of(gzip.compress(gzip.compress(b"[]")), "gzip"),
    "compressed twice by header": reply_of(gzip.compress(gzip.compress(b"[]")), "gzip, gzip"),
    "compressed, but not by header": reply_of(gzip.compress(b"[]"), "identity"),
    "an encoding that was not accepted": reply_of(b"[]", "br"),
    "another such encoding": reply_of(b"[]", "zstd"),
    "broken compression": reply_of(gzip.compress(b"[]")[:-12] + b"x" * 12, "gzip"),
    "garbage after the compressed": reply_of(gzip.compress(b"[") + b"garbage", "gzip"),
    "too many parts": reply_of(gzip.compress(b"[") * 20_000, "gzip"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", BAD)
async def test_a_body_that_is_no_answer_is_a_typed_error(name: str) -> None:
    """P24: rows 21 to 24 of the fault matrix: an error of the transport, or of decoding."""
    async with serving(always(BAD[name])) as (transport, server):
        reply = await transport.send(ask())

    assert len(server.heads) == 1
    error = error_of(ask(), reply)
    if error is None:
        try:
            answer = decoding.inventory_answer(reply.body)
        except decoding.Malformed:
            return
        assert (answer.items, len(answer.spoiled)) == ((), 1)
    else:
        assert isinstance(error, UnexpectedReply | Unreachable)


GOOD = {
    "a byte order mark": plain(b"\xef\xbb\xbf[" + ITEM + b"]"),
    "a charset that is wrong": (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-16\r\n"
        + plain(b"[" + ITEM + b"]").split(b"\r\n", 1)[1]
    ),
    "a whole body without a length": b"HTTP/1.1 200 OK\r\n\r\n[" + ITEM + b"]",
    "two compressed parts": reply_of(gzip.compress(b"[" + ITEM) + gzip.compress(b"]"), "gzip"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", GOOD)
async def test_a_body_that_is_odd_but_complete_is_an_answer(name: str) -> None:
    async with serving(always(GOOD[name])) as (transport, _):
        reply = await transport.send(ask())

    assert [item.sku_id for item in decoding.inventory_answer(reply.body).items] == ["0011"]


@pytest.mark.asyncio
async def test_a_valid_reply_that_compresses_well_is_read() -> None:
    """It is compressed to a fiftieth, which is usual for long lists."""
    items = ",".join(
        ITEM.decode().replace("0011", hashlib.sha256(str(n).encode()).hexdigest()[:4])
        for n in range(60_000)
    )
    body = f"[{items}]".encode()
    async with serving(always(reply_of(gzip.compress(body), "gzip")), max_body=MOST) as (to, _):
        reply = await to.send(ask())

    assert reply.body == body


@pytest.mark.asyncio
async def test_a_compression_bomb_is_refused_early() -> None:
    """Row 23: its ratio is refused long before its size is too large."""
    bomb = reply_of(zeros(20 * 2**20), "gzip")
    async with serving(always(bomb), max_body=MOST) as (transport, _):
        reply = await transport.send(ask())

    assert (reply.status, reply.body, reply.cause) == (200, b"", "too_large")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("start", "more", "cause"),
    [
        (CHUNKED, b"400\r\n" + b" " * 1024 + b"\r\n", "too_large"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" " * 1024, "too_large"),
        (b"HTTP/1.1 200 OK\r\n", b"X-Header: 1\r\n", "garbled"),
    ],
    ids=["chunks", "body", "headers"],
)
async def test_reading_an_endless_reply_stops(start: bytes, more: bytes, cause: str) -> None:
    """P21, P24: row 24."""

    async def behave(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while not writer.is_closing():
            writer.write(more * 64)
            await writer.drain()

    async with serving(behave) as (transport, _):
        reply = await transport.send(ask())

    assert reply.cause == cause
    assert reply.body == b""


@pytest.mark.asyncio
async def test_hostile_bodies_at_once_fit_in_little_memory() -> None:
    """P25, S17: rows 23 and 24 of the fault matrix; three bodies of each kind in a soak."""

    async def behave(nth: int, writer: asyncio.StreamWriter) -> None:
        writer.write(HOSTILE[nth % len(HOSTILE)])
        await writer.drain()
        writer.close()

    async with serving(behave) as (_, server):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).parents[2] / "builders" / "hostile_client.py"),
            str(server.port),
            str(AT_ONCE),
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()

    peak, *found = printed.decode().splitlines()
    assert process.returncode == 0
    assert len(found) == AT_ONCE
    assert int(peak) <= 512, found
