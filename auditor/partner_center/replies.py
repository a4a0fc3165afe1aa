"""What a reply means as an error: one table, keyed by endpoint, status and code.

Codes are text and not unique (2001 means two things), so a row says where it applies.
"""

from typing import TypeVar

from auditor.errors import (
    ContextMissing,
    Forbidden,
    NotFound,
    PartnerCenterError,
    Rejected,
    RouteGone,
    Throttled,
    Unauthorized,
    UnexpectedReply,
    Unreachable,
)
from auditor.model import Reply, Request
from auditor.partner_center import wire

E = TypeVar("E", bound=PartnerCenterError)
ANY = ""
NO_CODE = "no code"
"""Of a reply whose body says none."""
BODY_HEAD = 200
"""How much of a body an error quotes."""

_LISTS_OF_THE_PARTNER = ("list_customers", "list_products")

TABLE: dict[tuple[str, int, str], type[PartnerCenterError]] = {
    # endpoint, status, code in the body; the first of (endpoint, status, code),
    # (ANY, status, code), (endpoint, status, ANY), (ANY, status, ANY) that is here counts.
    (ANY, 400, "400026"): ContextMissing,
    (ANY, 403, "400030"): Forbidden,  # target segment
    (ANY, 403, "400036"): Forbidden,  # target view
    (ANY, 403, "2030"): Forbidden,  # one country
    (ANY, 403, "20002"): Forbidden,  # one customer
    **{
        (name, status, ANY): Unauthorized for name in _LISTS_OF_THE_PARTNER for status in (401, 403)
    },
    # checkInventory may be retired: a 404 that names no thing is about the route.
    ("check_inventory", 404, NO_CODE): RouteGone,
    ("check_inventory", 404, "1000"): RouteGone,
    ("check_inventory", 410, ANY): RouteGone,
    (ANY, 401, ANY): Forbidden,
    (ANY, 403, ANY): Forbidden,
    (ANY, 404, ANY): NotFound,
    (ANY, 408, ANY): Unreachable,
    (ANY, 429, ANY): Throttled,
}
CAUSES: dict[str, type[PartnerCenterError]] = {"throttled": Throttled, "unsendable": Rejected}
"""What no reply means, where that is not `Unreachable`."""


def error_of(request: Request, reply: Reply) -> PartnerCenterError | None:
    """Return the error that a reply stands for; None where it is an answer."""
    sent = wire.Error()
    if reply.status // 100 != 2 or _may_hold_an_error(reply.body):  # noqa: PLR2004 - success
        sent = wire.error(reply.body)
    kind = _kind_of(request.endpoint, reply, sent.code)
    return None if kind is None else _error(kind, request, reply, sent.code)


def unexpected(request: Request, reply: Reply, what: str) -> UnexpectedReply:
    """Return the error for a success whose body cannot be used."""
    return _error(UnexpectedReply, request, reply, "", what)


def _kind_of(endpoint: str, reply: Reply, code: str) -> type[PartnerCenterError] | None:
    status = reply.status
    for key in (
        (endpoint, status, code or NO_CODE),
        (ANY, status, code or NO_CODE),
        (endpoint, status, ANY),
        (ANY, status, ANY),
    ):
        if key in TABLE:
            return TABLE[key]
    match status // 100:
        case 0:
            return CAUSES.get(reply.cause, Unreachable)
        case 2:
            # 200 with 400072 says that the item is not available, and shows none.
            return UnexpectedReply if code or reply.cause else None
        case 4:
            return Rejected
        case 5:
            return Unreachable
        case _:
            return UnexpectedReply


def _may_hold_an_error(body: bytes) -> bool:
    head = body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"{") and len(body) < 4096 and b'"code"' in body  # noqa: PLR2004 - short


def _error(kind: type[E], request: Request, reply: Reply, code: str, what: str = "") -> E:
    status = str(reply.status) if reply.status else f"no reply ({reply.cause})"
    said = " ".join(part for part in (status, code, what) if part)
    head = _printable(reply.body[: 4 * BODY_HEAD].decode("utf-8", "replace"))[:BODY_HEAD]
    return kind(
        f"{request.method} {request.path}: {said}{': ' if head else ''}{head}"
        f" (request {reply.request_id}, correlation {reply.correlation_id})",
        status=reply.status,
        error_code_sent=code,
        request_id=reply.request_id,
        correlation_id=reply.correlation_id,
        sent_at=reply.sent_at,
    )


def _printable(text: str) -> str:
    """Return the text on one line, without what moves a cursor or turns letters round."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
