"""Servers that misbehave on the wire: every call still ends in one reply, and is counted once."""

import asyncio
import gzip
import resource
import tracemalloc
import zlib

import pytest

from auditor.errors import Rejected, StoreFailed, UnexpectedReply, Unreachable
from auditor.model import Reply
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.replies import error_of
from auditor.partner_center.retry import RetryBudget
from auditor.partner_center.tokens import GivenToken
from auditor.partner_center.transport import Timeouts, Transport
from auditor.secret import Secret
from tests.builders.raw_server import CANARY, LIMITS, OK, always, ask, serving


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_kept_connection_that_breaks_costs_one_request_not_two(method: str) -> None:
    """P17, P23: the library would send again by itself, uncounted by pacer and retry budget."""

    async def behave(nth: int, writer: asyncio.StreamWriter) -> None:
        if nth == 1:
            writer.write(OK)
        else:
            writer.close()

    async with serving(behave) as (transport, server):
        first = await transport.send(ask(method))
        second = await transport.send(ask(method))

    assert (first.status, second.status, second.cause) == (200, 0, "reset")
    assert len(server.heads) == 2
    assert server.connections == 1
    assert first.attempts == second.attempts == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_redirect_is_not_followed(method: str, status: int) -> None:
    """P17, S2: another server gets no request, and so no token."""
    async with serving(always(OK)) as (_, elsewhere):
        port = elsewhere.port
        moved = f"HTTP/1.1 {status} Moved\r\nLocation: http://localhost:{port}/\r\n"
        async with serving(always(f"{moved}Content-Length: 0\r\n\r\n".encode())) as (
            transport,
            server,
        ):
            reply = await transport.send(ask(method))

    assert reply.status == status
    assert len(server.heads) == 1
    assert elsewhere.heads == []


@pytest.mark.asyncio
async def test_a_call_without_a_reply_is_sent_again_with_the_same_request_id() -> None:
    async def behave(nth: int, writer: asyncio.StreamWriter) -> None:
        if nth < 3:
            writer.close()
        else:
            writer.write(OK)

    async with serving(behave, retries=True) as (transport, server):
        reply = await transport.send(ask())

    assert (reply.status, reply.attempts) == (200, 3)
    assert len(server.heads) == 3
    assert all(b"MS-RequestId: id-2\r\n" in head for head in server.heads)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FAULTS = [
    (b"", "reset"),
    (b"HTTP/1.1 200 OK\r\nContent-Le", "reset"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,", "cut"),
    (CHUNKED + b"5\r\n[1,", "cut"),
    (CHUNKED + b"zz\r\n", "garbled"),
    (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", "cut"),
    (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "garbled"),
    (b"HTTP/1.1 2x0 OK\r\n\r\n", "garbled"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", "garbled"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "garbled"),
    (b"\x00" * 64, "garbled"),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("sent", "cause"), FAULTS, ids=range(len(FAULTS)))
async def test_an_incomplete_reply_is_no_reply(sent: bytes, cause: str) -> None:
    async with serving(always(sent)) as (transport, server):
        reply = await transport.send(ask())

    assert (reply.status, reply.body, reply.cause) == (0, b"", cause)
    assert (reply.request_id, reply.correlation_id) == ("id-2", "id-1")
    assert len(server.heads) == 1


@pytest.mark.asyncio
async def test_a_server_that_does_not_answer_is_a_timeout() -> None:
    """P21."""

    async def behave(_: int, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    timeouts = Timeouts(total_s=0.05)
    async with serving(behave, retries=True, timeouts=timeouts) as (transport, server):
        reply = await transport.send(ask())

    assert (reply.status, reply.cause, reply.attempts) == (0, "timeout", 3)
    assert len(server.heads) == 3


@pytest.mark.asyncio
async def test_endless_interim_replies_are_a_timeout() -> None:
    """P21: endless interim replies (102) without a final one."""

    async def behave(_: int, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n" * 100)
            await writer.drain()
            await asyncio.sleep(0)

    async with serving(behave, timeouts=Timeouts(total_s=0.05)) as (transport, _):
        reply = await transport.send(ask())

    assert (reply.status, reply.cause) == (0, "timeout")
    assert isinstance(error_of(ask(), reply), Unreachable)


ODD = {
    "101 Switching Protocols": UnexpectedReply,
    "299 Odd": None,
    "304 Not Modified": UnexpectedReply,
    "418 I am a teapot": Rejected,
    "451 Unavailable": Rejected,
    "599 Odd": Unreachable,
    "600 Odd": UnexpectedReply,
    "999 Odd": UnexpectedReply,
}


@pytest.mark.asyncio
@pytest.mark.parametrize("status", ODD)
async def test_an_undocumented_status_is_a_typed_error(status: str) -> None:
    body = b"Content-Length: 2\r\n\r\n[]" if "304" not in status else b"\r\n"
    async with serving(always(f"HTTP/1.1 {status}\r\n".encode() + body)) as (transport, _):
        reply = await transport.send(ask())

    error = error_of(ask(), reply)
    assert reply.status == int(status[:3])
    assert (type(error) if error else None) is ODD[status]


@pytest.mark.asyncio
async def test_a_body_that_arrives_too_slowly_is_a_timeout() -> None:
    """P21: bytes keep arriving, but the body is never complete in time."""

    async def behave(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        ticks = asyncio.Event()
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            asyncio.get_running_loop().call_later(0.01, ticks.set)
            await ticks.wait()
            ticks.clear()

    async with serving(behave, timeouts=Timeouts(total_s=0.1)) as (transport, _):
        reply = await transport.send(ask())

    assert (reply.status, reply.cause) == (0, "timeout")


def zeros(size: int) -> bytes:
    compress = zlib.compressobj(9, wbits=31)
    block = bytes(2**20)
    return b"".join(compress.compress(block) for _ in range(size // 2**20)) + compress.flush()


def reply_of(body: bytes, encoding: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + bytes(3_000_000),
        CHUNKED + b"2dc6c0\r\n" + bytes(3_000_000) + b"\r\n0\r\n\r\n",
        reply_of(zeros(200 * 2**20), "gzip"),
        reply_of(zeros(2**20) * 40, "gzip"),
        reply_of(zlib.compress(bytes(200 * 2**20), 9), "deflate"),
    ],
    ids=["plain", "chunked", "gzip bomb", "gzip in many parts", "deflate bomb"],
)
async def test_a_body_is_read_only_up_to_the_limit(sent: bytes) -> None:
    """S17, P24, P25."""
    async with serving(always(sent), retries=True) as (transport, server):
        tracemalloc.start()
        reply = await transport.send(ask())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert (reply.status, reply.body, reply.cause) == (200, b"", "too_large")
    assert len(server.heads) == 1, "another attempt would get the same body"
    assert peak < 8 * 2**20


@pytest.mark.asyncio
async def test_a_compressed_body_is_unpacked() -> None:
    async with serving(always(reply_of(gzip.compress(b'[{"a":1}]'), "gzip"))) as (transport, _):
        assert (await transport.send(ask())).body == b'[{"a":1}]'


@pytest.mark.asyncio
async def test_a_server_that_is_not_there_is_refused() -> None:
    async with serving(always(OK)) as (transport, _):
        pass
    port = transport._base_url.rsplit(":", 1)[1]  # noqa: SLF001 - no server listens there any more
    async with (
        Pacer(LIMITS) as pacer,
        Transport(
            f"http://127.0.0.1:{port}",
            GivenToken(Secret(CANARY)),
            pacer,
            budget=RetryBudget(floor=0),
        ) as late,
    ):
        reply = await late.send(ask())

    assert (reply.status, reply.cause) == (0, "refused")


@pytest.mark.asyncio
async def test_too_few_open_files_are_a_local_fault_and_stop_the_run() -> None:
    """P30, fault 32: the error names the limit, and no check counts as the server's failure."""
    _, hard = limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with serving(always(OK), retries=True) as (transport, server):
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            with pytest.raises(StoreFailed, match="too many open files: 3 are allowed"):
                await transport.send(ask())
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert server.heads == []


@pytest.mark.asyncio
async def test_a_header_that_cannot_be_sent_is_not_sent() -> None:
    """S19."""
    async with serving(always(OK), retries=True) as (transport, server):
        reply = await transport.send(ask(header="a\r\nX-Injected: b"))

    assert (reply.status, reply.cause, reply.attempts) == (0, "unsendable", 1)
    assert server.heads == []


@pytest.mark.asyncio
async def test_cancelling_a_call_passes_through_and_frees_its_connection() -> None:
    waiting = asyncio.Event()

    async def behave(nth: int, writer: asyncio.StreamWriter) -> None:
        if nth <= LIMITS.concurrency:
            if nth == LIMITS.concurrency:
                waiting.set()
            await asyncio.Event().wait()
        writer.write(OK)

    async with serving(behave) as (transport, _):
        hanging = [asyncio.create_task(transport.send(ask())) for _ in range(LIMITS.concurrency)]
        await waiting.wait()
        for task in hanging:
            task.cancel()
        ended = await asyncio.gather(*hanging, return_exceptions=True)
        reply = await transport.send(ask())

    assert {type(end) for end in ended} == {asyncio.CancelledError}
    assert reply.status == 200


@pytest.mark.asyncio
async def test_no_more_connections_than_allowed_reach_the_server() -> None:
    async with serving(always(OK, hang_up=False)) as (transport, server):
        replies = await asyncio.gather(*(transport.send(ask()) for _ in range(200)))

    assert {reply.status for reply in replies} == {200}
    assert server.connections <= LIMITS.concurrency


@pytest.mark.asyncio
async def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """S5."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with serving(always(OK)) as (transport, _):
        assert (await transport.send(ask())).status == 200


@pytest.mark.asyncio
async def test_no_reply_and_no_repr_shows_the_token() -> None:
    """S1."""
    seen: list[str] = []
    for sent, _ in FAULTS:
        async with serving(always(sent)) as (transport, server):
            reply: Reply = await transport.send(ask())
            seen += [repr(reply), repr(transport), repr(vars(transport))]
            assert CANARY.encode() in server.heads[0]

    assert CANARY not in "".join(seen)


@pytest.mark.asyncio
async def test_a_token_that_the_server_echoes_is_not_journaled() -> None:
    """S1, S18: bodies are journaled, and commands show them."""
    body = f'{{"Authorization":"Bearer {CANARY}"}}'.encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with serving(always(head + body)) as (transport, _):
        reply = await transport.send(ask())

    assert reply.body == b'{"Authorization":"Bearer ***"}'


@pytest.mark.asyncio
async def test_a_token_that_the_server_echoes_is_in_no_part_of_the_reply() -> None:
    """S1: not in a body of any status, and not as an id."""
    for status in (200, 401, 403, 500):
        body = f"<pre>Authorization: Bearer {CANARY}</pre>".encode()
        head = f"HTTP/1.1 {status} X\r\nMS-RequestId: {CANARY}\r\nMS-CorrelationId: {CANARY}\r\n"
        sent = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        async with serving(always(sent)) as (transport, server):
            reply = await transport.send(ask())
            assert CANARY.encode() in server.heads[0]

        assert reply.status == status
        assert reply.body == b"<pre>Authorization: Bearer ***</pre>"
        assert (reply.request_id, reply.correlation_id) == ("id-2", "id-1")
