"""Turns a reply into an error: reads its code, and finds its row in `error_table`."""

from typing import TypeVar

from auditor.errors import Does, Forbidden, PartnerCenterError, Unauthorized, UnexpectedReply
from auditor.model import UNREADABLE, Reply, Request
from auditor.partner_center import decoding
from auditor.partner_center.error_table import NO_CODE, row_of, steps

E = TypeVar("E", bound=PartnerCenterError)
FORBIDDEN = 403
BODY_HEAD = 200
"""How much of a body an error quotes."""
LONGEST_CODE = 40
LONGEST_ERROR = 8192
"""The longest body of a success that may be an error: a description has up to 1024 characters."""


def error_of(request: Request, reply: Reply) -> PartnerCenterError | None:
    """Return the error of a reply; None if the reply is an answer."""
    is_success = reply.status // 100 == 2  # noqa: PLR2004 - as HTTP numbers it
    code = ""
    if not is_success or _may_hold_an_error(reply.body):
        code = _printable(decoding.error(reply.body).code)[:LONGEST_CODE]
    if is_success and not code and not reply.cause:
        return None
    key = (code or NO_CODE) if reply.status else reply.cause
    does = steps(request.endpoint, reply.status, key)
    kind = row_of(request.endpoint, reply.status, key).error
    return _error(kind, request, reply, code, does=does)


def unexpected(request: Request, reply: Reply, what: str) -> UnexpectedReply:
    """Return the error for a success whose body cannot be used."""
    does = steps(request.endpoint, reply.status, NO_CODE)
    return _error(UnexpectedReply, request, reply, "", what, does=does)


def _may_hold_an_error(body: bytes) -> bool:
    head = body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"{") and len(body) < LONGEST_ERROR and b'"code"' in body


def _error(
    kind: type[E],
    request: Request,
    reply: Reply,
    code: str,
    what: str = "",
    *,
    does: tuple[Does, ...],
) -> E:
    status = str(reply.status) if reply.status else f"no reply ({reply.cause})"
    summary = " ".join(part for part in (status, code, what) if part)
    is_unusable = issubclass(kind, UnexpectedReply)
    head = _printable(reply.body[: 4 * BODY_HEAD].decode("utf-8", "replace"))[:BODY_HEAD]
    error = kind(
        f"{request.method} {request.path}: {summary}{': ' if head else ''}{head}"
        f" (request {reply.request_id}, correlation {reply.correlation_id})",
        status=reply.status,
        reason=reply.cause or (UNREADABLE if is_unusable else f"http_{reply.status}"),
        error_code_sent=code,
        does=does,
        request_id=reply.request_id,
        correlation_id=reply.correlation_id,
        attempts=reply.attempts,
        sent_at=reply.sent_at,
        key=request.key(),
    )
    if kind is Unauthorized and reply.status == FORBIDDEN:
        error.error_code = Forbidden.code  # the sign-in worked: consent or a role is missing
    return error


def _printable(text: str) -> str:
    """Return the text on one line, without characters that move a cursor or reverse text."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
