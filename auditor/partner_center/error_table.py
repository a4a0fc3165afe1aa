"""Every reply that is no answer, and what the run does about it: one table.

Codes are text and not unique (2001 means two things), so a row names the endpoints it applies to.
Codes and statuses are open sets: an unknown code takes the row of its status, an unknown status
the row of its class, which has one digit. Status 0 is no reply; its codes are the causes.
`docs/errors.md` is this table for people.
"""

import msgspec

from auditor.errors import (
    ContextMissing,
    Does,
    Forbidden,
    NotFound,
    OutOfTime,
    PartnerCenterError,
    Rejected,
    RouteGone,
    Throttled,
    Unauthorized,
    UnexpectedReply,
    Unreachable,
)

ANY = ""
ErrorKey = tuple[str, int, str]
NO_SUCH_SKU = "400018"
NO_CODE = "no code"
"""The code of a reply whose body has none."""

EVERYWHERE = (ANY,)
PARTNER = ("list_customers", "list_products")
"""A 401 or 403 on these lists means that the partner's own credential is refused."""
VIEWS = ("list_products", "list_skus")
BY_ID = ("get_product", "get_sku", "get_customer_product", "get_customer_sku")
INVENTORY = ("check_inventory", "check_inventory_by_resource_type")
RETIRING = ("check_inventory",)
AVAILABILITY = ("list_availabilities", "list_customer_availabilities")

UNANSWERED: dict[str, Does] = {
    "list_customers": Does.PAGES_FAILED,
    "get_customer": Does.CUSTOMER_FAILED,
    "list_subscriptions": Does.CUSTOMER_FAILED,
    "get_subscription": Does.CARRIED,
    "list_azure_entitlements": Does.CARRIED,
    "get_registration_status": Does.CARRIED,
    "list_products": Does.CARRIED,
    "get_product": Does.CARRIED,
    "list_skus": Does.CARRIED,
    "get_sku": Does.CARRIED,
    "get_customer_product": Does.CARRIED,
    "list_customer_skus": Does.CARRIED,
    "get_customer_sku": Does.CARRIED,
    **dict.fromkeys(INVENTORY + AVAILABILITY, Does.FAILED),
}
"""By endpoint: how a question without an answer ends, if the reply's row names no end."""

_STEPS = frozenset(
    {
        Does.RETRIED,
        Does.WAITED_FOR,
        Does.TOKEN_RENEWED,
        Does.LEARNED,
        Does.MOVED,
        Does.HALVED,
        Does.POSTED,
    }
)
"""These may still lead to an answer. If none comes, an end follows."""


class ErrorMeaning(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of reply."""

    endpoints: tuple[str, ...]
    status: int
    code: str
    error: type[PartnerCenterError]
    means: str
    does: tuple[Does, ...]
    """If none of them is an end, the end in `UNANSWERED` follows."""


def _row(
    endpoints: tuple[str, ...],
    status: int,
    code: str,
    error: type[PartnerCenterError],
    means: str,
    *does: Does,
) -> ErrorMeaning:
    return ErrorMeaning(
        endpoints=endpoints, status=status, code=code, error=error, means=means, does=does
    )


def _credential(status: int, code: str, means: str) -> tuple[ErrorMeaning, ErrorMeaning]:
    """Return the rows of a refused credential.

    If the path names one customer or product, only that customer or product fails. The lists in
    `PARTNER` decide whether the partner is out.
    """
    first = (Does.TOKEN_RENEWED,) if status == 401 else ()  # noqa: PLR2004 - as HTTP numbers it
    return (
        _row(PARTNER, status, code, Unauthorized, means, *first, Does.PARTNER_OUT),
        _row(EVERYWHERE, status, code, Forbidden, means, *first),
    )


ROWS: tuple[ErrorMeaning, ...] = (
    # 2xx
    _row(EVERYWHERE, 200, "400072", UnexpectedReply, "this item is not available"),
    _row(EVERYWHERE, 2, ANY, UnexpectedReply, "a success that holds an error, or cannot be read"),
    # 400, 413: one item of a batch may be the cause, unless the code is about the context
    _row(INVENTORY, 400, "2001", Rejected, "the request body is missing", Does.FAILED),
    _row(
        INVENTORY,
        400,
        "400026",
        ContextMissing,
        "a context item is missing",
        Does.LEARNED,
        Does.HALVED,
    ),
    _row(INVENTORY, 400, "800010", Rejected, "no inventory", Does.HALVED),
    _row(INVENTORY, 400, "800011", Rejected, "the Azure subscription is invalid", Does.FAILED),
    _row(INVENTORY, 400, "800012", Rejected, "the Azure subscription is inactive", Does.FAILED),
    _row(INVENTORY, 400, "800013", Rejected, "the subscription is not enabled for RI", Does.FAILED),
    _row(INVENTORY, 400, "800030", Rejected, "the subscription is not registered", Does.FAILED),
    _row(INVENTORY, 400, "900314", Rejected, "the Azure subscription is not active", Does.FAILED),
    _row(
        INVENTORY, 400, "900315", Rejected, "the product is not for the subscription", Does.HALVED
    ),
    _row(INVENTORY, 400, "900118", Rejected, "the customer id is invalid", Does.FAILED),
    _row(INVENTORY, 400, "20002", Rejected, "no relationship with the customer", Does.FAILED),
    _row(INVENTORY, 400, ANY, Rejected, "refused", Does.HALVED),
    _row(INVENTORY, 413, ANY, Rejected, "too large", Does.HALVED),
    _row(EVERYWHERE, 400, "3000", Rejected, "a property is invalid"),
    _row(EVERYWHERE, 400, "20002", Rejected, "no relationship with the customer"),
    _row(EVERYWHERE, 400, "400056", Rejected, "invalid input"),
    _row(EVERYWHERE, 400, "900118", Rejected, "the customer id is invalid"),
    _row(AVAILABILITY, 400, "900143", Rejected, "not all availabilities could be read"),
    # 401, 403: a credential
    *_credential(401, "400", "access denied"),
    *_credential(401, "800001", "the partner's token is missing"),
    *_credential(401, "900420", "the token is for another audience"),
    *_credential(401, "900421", "the token has no MFA claim"),
    *_credential(401, ANY, "not signed in"),
    *_credential(403, "2032", "access denied"),
    *_credential(403, "900150", "the role lacks rights"),
    *_credential(403, "900308", "insufficient privileges"),
    *_credential(403, "900309", "refused by Conditional Access"),
    *_credential(403, "900329", "an app-only token is not supported"),
    *_credential(403, ANY, "forbidden"),
    # 403: for one reason
    _row(("get_customer",), 403, "20002", Forbidden, "no relationship", Does.LEFT),
    _row(EVERYWHERE, 403, "20002", Forbidden, "no relationship with the customer"),
    _row(EVERYWHERE, 403, "900118", Forbidden, "the customer id is invalid"),
    _row(VIEWS, 403, "400030", Forbidden, "the segment is not allowed", Does.PASSED_OVER),
    _row(VIEWS, 403, "400036", Forbidden, "the target view is not allowed", Does.PASSED_OVER),
    _row(VIEWS, 403, "2030", Forbidden, "the partner does not sell there", Does.PASSED_OVER),
    _row(EVERYWHERE, 403, "400030", Forbidden, "the segment is not allowed"),
    _row(EVERYWHERE, 403, "2030", Forbidden, "the partner does not sell there"),
    # 404, 410: a reply that names no product or SKU is about the route, which will be retired
    _row(RETIRING, 404, NO_CODE, RouteGone, "there is no such API", Does.MOVED),
    _row(RETIRING, 404, "1000", RouteGone, "there is no such API", Does.MOVED),
    _row(RETIRING, 410, ANY, RouteGone, "the API is gone", Does.MOVED),
    _row(("get_customer",), 404, ANY, NotFound, "there is no such customer", Does.LEFT),
    _row(("get_subscription",), 404, ANY, NotFound, "there is no such subscription", Does.ENDED),
    *(
        row
        for code, means in (("400013", "no such product"), (NO_SUCH_SKU, "no such SKU"))
        for row in (
            _row(BY_ID, 404, code, NotFound, means, Does.LEFT_CATALOG),
            _row(AVAILABILITY, 404, code, NotFound, means, Does.NOT_IN_CATALOG),
            _row(INVENTORY, 404, code, NotFound, means, Does.HALVED, Does.NOT_IN_CATALOG),
        )
    ),
    _row(EVERYWHERE, 404, "1000", NotFound, "there is nothing at this path"),
    _row(EVERYWHERE, 404, "20003", NotFound, "there is no such subscription"),
    _row(EVERYWHERE, 404, "60003", NotFound, "there is no such tenant"),
    _row(EVERYWHERE, 404, "400013", NotFound, "no such product"),
    _row(EVERYWHERE, 404, NO_SUCH_SKU, NotFound, "no such SKU"),
    _row(EVERYWHERE, 404, "400019", NotFound, "no such availability"),
    _row(EVERYWHERE, 404, ANY, NotFound, "not found"),
    # other 4xx
    _row((AVAILABILITY[1],), 405, ANY, Rejected, "not with this method", Does.POSTED),
    _row(EVERYWHERE, 408, ANY, Unreachable, "the server waited too long", Does.RETRIED),
    _row(EVERYWHERE, 429, ANY, Throttled, "too many requests", Does.WAITED_FOR),
    _row(EVERYWHERE, 4, ANY, Rejected, "refused"),
    # 5xx
    _row(EVERYWHERE, 500, "800003", Unreachable, "unexpected service error", Does.RETRIED),
    _row(EVERYWHERE, 500, ANY, Unreachable, "server error", Does.RETRIED),
    _row(EVERYWHERE, 501, ANY, Unreachable, "not implemented", Does.RETRIED),
    _row(EVERYWHERE, 502, ANY, Unreachable, "bad gateway", Does.RETRIED),
    _row(EVERYWHERE, 503, ANY, Unreachable, "service unavailable", Does.RETRIED),
    _row(EVERYWHERE, 504, ANY, Unreachable, "gateway timeout", Does.RETRIED),
    _row(EVERYWHERE, 5, ANY, Unreachable, "server error", Does.RETRIED),
    # no error status: a redirect is not followed
    *(
        _row(EVERYWHERE, status, ANY, UnexpectedReply, means)
        for status, means in ((1, "not a final reply"), (3, "a redirect, which is not followed"))
    ),
    *(_row(EVERYWHERE, status, ANY, UnexpectedReply, "no HTTP status") for status in range(6, 10)),
    # no reply
    _row(INVENTORY, 0, "timeout", Unreachable, "timed out", Does.RETRIED, Does.HALVED),
    _row(EVERYWHERE, 0, "breaker", Unreachable, "not sent: the server no longer answered"),
    _row(EVERYWHERE, 0, "deadline", OutOfTime, "the run's deadline had passed"),
    _row(EVERYWHERE, 0, "tls", Unreachable, "the certificate is not trusted"),
    _row(EVERYWHERE, 0, "unsendable", Rejected, "the request fits no HTTP message"),
    _row(EVERYWHERE, 0, ANY, Unreachable, "timed out, reset, refused or cut", Does.RETRIED),
)
TABLE: dict[ErrorKey, ErrorMeaning] = {
    (endpoint, row.status, row.code): row for row in ROWS for endpoint in row.endpoints
}


def row_of(endpoint: str, status: int, code: str) -> ErrorMeaning:
    """Return the row of a reply: a row of its endpoint comes before a row of its code."""
    for at in (status, status // 100):
        for key in ((endpoint, at, code), (endpoint, at, ANY), (ANY, at, code), (ANY, at, ANY)):
            if key in TABLE:
                return TABLE[key]
    raise LookupError(f"no status of HTTP: {status}")


def steps(endpoint: str, status: int, code: str) -> tuple[Does, ...]:
    """Return what the run does about a reply, the end last."""
    does = row_of(endpoint, status, code).does
    if does and does[-1] not in _STEPS:
        return does
    return (*does, UNANSWERED[endpoint])
