"""Which error a reply becomes, and its text. `test_error_table.py` walks the table."""

import json
from datetime import UTC, datetime

import pytest

from auditor import errors
from auditor.errors import PartnerCenterError
from auditor.model import ApiClass, Reply, Request
from auditor.partner_center.replies import LONGEST_CODE, error_of

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def request(endpoint: str = "get_sku") -> Request:
    return Request(
        endpoint=endpoint, method="GET", path="/v1/products/P", api_class=ApiClass.CATALOG
    )


def reply(status: int, body: bytes = b"", cause: str = "") -> Reply:
    return Reply(
        status=status, body=body, cause=cause, request_id="r-1", correlation_id="c-1", sent_at=NOW
    )


def error_body(code: str) -> bytes:
    return json.dumps({"code": code, "description": "no"}).encode()


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        ("timeout", errors.Unreachable),
        ("reset", errors.Unreachable),
        ("refused", errors.Unreachable),
        ("deadline", errors.OutOfTime),
        ("a new one", errors.Unreachable),
        ("unsendable", errors.Rejected),
    ],
)
def test_without_a_reply_the_cause_decides(cause: str, kind: type[PartnerCenterError]) -> None:
    error = error_of(request(), reply(0, cause=cause))

    assert type(error) is kind
    assert cause in str(error)


@pytest.mark.parametrize(
    ("endpoint", "status", "code", "kind"),
    [
        ("check_inventory", 400, "400026", errors.ContextMissing),
        ("check_inventory", 400, "2001", errors.Rejected),
        ("check_inventory", 401, "", errors.Forbidden),
        ("list_products", 403, "400036", errors.Forbidden),
        ("list_products", 403, "400030", errors.Forbidden),
        ("list_products", 403, "2030", errors.Forbidden),
        ("list_products", 403, "2032", errors.Unauthorized),
        ("list_products", 403, "20002", errors.Unauthorized),
        ("list_customers", 403, "20002", errors.Unauthorized),
        ("list_customers", 403, "400036", errors.Unauthorized),
        ("list_customers", 403, "2030", errors.Unauthorized),
        ("list_subscriptions", 403, "900329", errors.Forbidden),
        ("list_customers", 401, "900421", errors.Unauthorized),
        ("get_customer", 403, "20002", errors.Forbidden),
        ("list_subscriptions", 401, "", errors.Forbidden),
        ("get_sku", 404, "400018", errors.NotFound),
        ("get_sku", 409, "", errors.Rejected),
        ("get_sku", 413, "", errors.Rejected),
        ("get_sku", 500, "800003", errors.Unreachable),
        ("get_sku", 503, "", errors.Unreachable),
        ("get_sku", 408, "", errors.Unreachable),
        ("get_sku", 429, "", errors.Throttled),
        ("get_sku", 200, "400072", errors.UnexpectedReply),
        ("get_sku", 302, "", errors.UnexpectedReply),
        ("get_sku", 101, "", errors.UnexpectedReply),
        ("get_sku", 206, "1", errors.UnexpectedReply),
        ("get_sku", 418, "new", errors.Rejected),
        ("get_sku", 599, "new", errors.Unreachable),
        ("get_sku", 999, "", errors.UnexpectedReply),
    ],
)
def test_the_type_of_an_error_follows_from_endpoint_status_and_code(
    endpoint: str, status: int, code: str, kind: type[PartnerCenterError]
) -> None:
    body = error_body(code) if code else b"<html>"

    assert type(error_of(request(endpoint), reply(status, body))) is kind


def test_a_429_with_another_body_is_throttled() -> None:
    body = b'{ "statusCode": 429, "message": "Rate limit is exceeded. Try again in 57 seconds." }'

    assert isinstance(error_of(request(), reply(429, body)), errors.Throttled)


def test_a_success_is_not_an_error() -> None:
    currency = b'{"id":"A","defaultCurrency":{"code":"USD"}}'

    assert error_of(request(), reply(200, currency)) is None
    assert error_of(request(), reply(200, b"[]")) is None
    assert error_of(request(), reply(204)) is None


def test_a_success_that_is_too_large_is_an_unexpected_reply() -> None:
    assert isinstance(error_of(request(), reply(200, cause="too_large")), errors.UnexpectedReply)


def test_the_text_of_an_error_has_what_support_needs_on_one_line() -> None:
    body = (
        '{"code":"20002",\n"description":"no\x1b[2J \u202e relation"}'.encode()
        + b" " * 9
        + b"x" * 900
    )

    text = str(error_of(request("get_customer"), reply(403, body)))

    for part in ("GET", "/v1/products/P", "403", "r-1", "c-1", "relation"):
        assert part in text
    assert text.isprintable()
    assert len(text) < 400


def test_an_error_code_is_one_short_line_whatever_is_sent() -> None:
    """S20."""
    sent = error_body("x\n\x1b[2J" + "y" * 900)

    error = error_of(request(), reply(400, sent))

    assert error is not None
    assert error.error_code_sent.isprintable()
    assert len(error.error_code_sent) <= LONGEST_CODE


def test_an_error_with_a_long_description_is_not_a_success() -> None:
    body = json.dumps({"code": "400072", "description": "é" * 1024}).encode()

    assert isinstance(error_of(request(), reply(200, body)), errors.UnexpectedReply)
