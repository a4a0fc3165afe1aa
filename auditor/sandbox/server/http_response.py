"""Sends a reply over HTTP, whole or broken by a fault."""

import contextlib
import re
import socket
import struct
from dataclasses import dataclass

from aiohttp import web

from auditor.sandbox.answers import problems
from auditor.sandbox.answers.calls import Call
from auditor.sandbox.answers.reply import SMALL, SandboxReply, problem_reply
from auditor.sandbox.server.faults import Fault
from auditor.sandbox.world import seeded

UNAUTHORIZED = 401
DOUBLED = 0.1
"""The share of replies that repeat each id in its header, as the documents' samples do."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent. `status` is 0 if nothing was sent."""

    response: web.StreamResponse
    status: int
    is_whole: bool


def apply_fault(reply: SandboxReply, fault: Fault) -> SandboxReply:
    """Return the reply as the fault changes it; `send` does resets and cuts."""
    if fault.post_only:
        return problem_reply(problems.method_not_allowed("GET"), {"Allow": "POST"})
    if fault.status is not None or fault.replaces_body:
        return _replaced(fault)
    if fault.replace:
        return SandboxReply(reply.status, headers=reply.headers, encoded=_altered(reply, fault))
    if reply.items is None:
        return reply
    places = list(range(len(reply.items)))
    if fault.truncate is not None:
        places = places[: fault.truncate]
    if isinstance(fault.omit, int):
        places = places[fault.omit :]
    elif fault.omit and reply.keys is not None:
        places = [place for place in places if not fault.leaves_out(reply.keys[place])]
    return reply.only(places)


def _replaced(fault: Fault) -> SandboxReply:
    status = 200 if fault.status is None else fault.status
    if fault.body_bytes is not None:
        body = fault.body_bytes
    elif fault.body is not None:
        body = fault.body.encode()
    elif status == 429 and not fault.code:  # noqa: PLR2004 - too many requests
        waits = fault.headers.get("Retry-After", "")
        body = problems.throttled_body(int(waits) if waits.isdigit() else 57)
    elif status < 400 and not fault.code:  # noqa: PLR2004 - not an error, and no body is set
        body = b""
    else:
        body = problems.error_body(fault.code, fault.description)
    headers = {**problems.REALM, **fault.headers} if status == UNAUTHORIZED else fault.headers
    return SandboxReply(status, headers=headers, encoded=body)


def _altered(reply: SandboxReply, fault: Fault) -> bytes:
    text = reply.body().decode("latin-1")
    for pattern, by in fault.replace:
        if found := re.search(pattern, text):
            at, to = found.span(1 if found.re.groups else 0)
            text = text[:at] + by + text[to:]
    return text.encode("latin-1")


async def send(
    request: web.Request, call: Call, reply: SandboxReply, fault: Fault | None, seed: int
) -> Sent:
    if fault is not None and fault.reset:
        _reset(request)
        return Sent(web.Response(), 0, is_whole=False)
    headers = _headers(call, seed)
    body = reply.body()
    is_replaced = fault is not None and fault.replaces_body
    if len(body) >= SMALL and not is_replaced and "gzip" in call.headers.get("Accept-Encoding", ""):
        body = reply.compressed()
        headers["Content-Encoding"] = "gzip"
    headers.update(reply.headers)
    if fault is not None and fault.cut:
        return await _send_half(request, reply.status, headers, body)
    response = web.Response(status=reply.status, headers=headers, body=body)
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        return Sent(response, reply.status, is_whole=False)
    return Sent(response, reply.status, is_whole=True)


async def _send_half(
    request: web.Request, status: int, headers: dict[str, str], body: bytes
) -> Sent:
    """Send the length of the whole body, then half of the body, and close the connection."""
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = len(body)
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return Sent(response, status, is_whole=False)


def _reset(request: web.Request) -> None:
    """Close the connection with a TCP reset."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        # With a linger time of 0 the kernel sends RST when the socket is closed.
        no_time = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_time)
    transport.abort()


def _headers(call: Call, seed: int) -> dict[str, str]:
    request_id = call.headers.get("MS-RequestId") or seeded.guid(seed, "request", call.sequence)
    correlation_id = call.headers.get("MS-CorrelationId") or seeded.guid(
        seed, "correlation", call.sequence
    )
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "MS-RequestId": request_id,
        "MS-CorrelationId": correlation_id,
        "MS-CV": f"{seeded.code(seed, 16, 'cv', call.sequence)}.0",
        "MS-ServerId": "0000112D",
        "X-Locale": call.headers.get("X-Locale") or "en-US",
    }
    if seeded.share(seed, "doubled", request_id) < DOUBLED:
        for name in ("MS-RequestId", "MS-CorrelationId", "X-Locale"):
            headers[name] = f"{headers[name]},{headers[name]}"
        headers["X-Powered-By"] = "ASP.NET"
    return headers
