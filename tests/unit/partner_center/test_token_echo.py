"""A token that a server repeats in a reply is hidden, in whatever form it is written."""

import base64
import html
import json
import textwrap
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.partner_center.token_echo import HIDDEN, Echo
from auditor.secret import Secret

JWT = "eyJhbGciOiJub25lIn0." + "Y2FuYXJ5LWNhbmFyeS1jYW5hcnk" * 12 + ".c2lnbmF0dXJl"
OPAQUE = "0.AXc/canary+canary/9f3b+0ac1d2e4f5a6b7c8=="
SHORT = "canary-55aa17"
ODD = "canary~~~canary~~0123~~~"
"""A token whose base64 differs in URLs."""
TOKENS = (JWT, OPAQUE, SHORT, ODD)


def wrapped(text: str, width: int, end: str) -> str:
    return end.join(textwrap.wrap(text, width))


FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "header": lambda t: f"Authorization: Bearer {t}\r\nAccept: x",
    "percent": lambda t: quote(t, safe=""),
    "json": lambda t: json.dumps({"token": t}),
    "json of .NET": lambda t: json.dumps({"token": t}).replace("+", r"\u002B"),
    "json with slashes": lambda t: json.dumps({"token": t}).replace("/", r"\/"),
    "html": lambda t: f"<td>{html.escape(t)}</td>",
    "base64": lambda t: base64.b64encode(t.encode()).decode(),
    "base64, with a byte before": lambda t: base64.b64encode(f"x{t}".encode()).decode(),
    "base64 of the header": lambda t: base64.b64encode(f"Bearer {t}\r\n".encode()).decode(),
    "base64 for URLs": lambda t: base64.urlsafe_b64encode(f"ab{t}".encode()).decode(),
    "lines": lambda t: wrapped(t, 9, "\r\n  "),
    "lines in json": lambda t: json.dumps(wrapped(t, 20, "\n")),
    "short lines in json": lambda t: json.dumps(wrapped(t, 5, "\r\n\t")),
    "lines of base64": lambda t: base64.encodebytes(f"xy{t}".encode()).decode(),
    "quoted-printable": lambda t: wrapped(t, 30, "=\n"),
    "twice": lambda t: f"{t} and {t}",
}


def pieces(token: str) -> list[bytes]:
    """Return pieces of a token, plain and as base64. None of them may remain."""
    found = []
    for text in (token.encode(), *(base64.b64encode(b" " * n + token.encode()) for n in range(3))):
        solid = text.replace(b"=", b"")[4:-4]
        found += [solid[at : at + 12] for at in range(max(len(solid) - 12, 1))]
    return found


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("token", TOKENS, ids=["jwt", "opaque", "short", "odd"])
def test_a_token_is_hidden_in_every_form(form: str, token: str) -> None:
    """S1."""
    body = f"<html>before {FORMS[form](token)} after</html>".encode()
    left = Echo(Secret(token)).without(body)
    packed = (
        left.translate(None, b" \r\n=")
        .replace(rb"\n", b"")
        .replace(rb"\r", b"")
        .replace(rb"\t", b"")
    )
    assert HIDDEN in left
    assert not [piece for piece in pieces(token) if piece in packed]
    assert left.startswith(b"<html>before ")
    assert left.endswith(b" after</html>")


def test_the_beginning_of_a_token_is_hidden_too() -> None:
    """S1: a page may show only part of the token."""
    body = f'{{"code": "{JWT[:40]}", "more": "{OPAQUE}"}}'.encode()
    assert Echo(Secret(JWT)).without(body) == f'{{"code": "***", "more": "{OPAQUE}"}}'.encode()


@pytest.mark.parametrize("before", range(3))
@pytest.mark.parametrize("length", [30, 31, 32])
def test_only_letters_of_base64_with_the_token_are_hidden(before: int, length: int) -> None:
    """A letter holds six bits. A letter that is partly of the neighbouring text stays."""
    body = base64.b64encode(b"\0" * before + JWT[:length].encode() + b"\0" * 3)
    first, last = -(-8 * before // 6), 8 * (before + length) // 6
    left = Echo(Secret(JWT[:length])).without(b"<" + body + b">")
    assert left == b"<" + body[:first] + HIDDEN + body[last:] + b">"


@pytest.mark.parametrize("escaped", ["+", "/"])
def test_only_the_token_in_json_is_hidden(escaped: str) -> None:
    other = {"+": r"\u002B", "/": r"\/"}[escaped]
    body = json.dumps({"token": OPAQUE, "id": 1}).replace(escaped, other)
    left = Echo(Secret(OPAQUE)).without(body.encode())
    assert left in (b'{"token": "***", "id": 1}', b'{"token": "***==", "id": 1}')


def test_sixteen_letters_are_hidden_or_eight_of_a_short_token() -> None:
    echo = Echo(Secret(JWT))
    assert echo.token == Secret(JWT)
    assert echo.without(f"<{JWT[:16]}>".encode()) == b"<***>"
    assert echo.without(f"<{JWT[:15]}>".encode()) == f"<{JWT[:15]}>".encode()
    assert Echo(Secret("canary-8")).without(b"<canary-8>") == b"<***>"
    assert Echo(Secret("canary7")).without(b"<canary7>") == b"<canary7>"


@given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
def test_a_body_without_a_token_is_unchanged(body: bytes) -> None:
    for token in TOKENS:
        assert Echo(Secret(token)).without(body) == body


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_the_text_around_a_token_is_unchanged(before: bytes, after: bytes) -> None:
    before, after = before + b"<", b">" + after
    assert Echo(Secret(JWT)).without(before + JWT.encode() + after) == before + HIDDEN + after
