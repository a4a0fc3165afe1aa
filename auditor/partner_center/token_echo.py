"""Removes the token from a reply that echoes the request.

Debug pages, gateways and proxies echo requests. Replies are journaled, quoted in errors and
published, so the token is removed here, once, before any other module reads the reply.
"""

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote

from auditor.secret import Secret

HIDDEN = b"***"
_HEAD = 16
"""The first characters of a token, in any form, count as the token: a page may show only these."""
_SHORTEST = 8
_GAP = re.compile(rb"(?:[ \t\r\n=]|\\[nrt])*")
"""Line breaks that a page inserts, and the padding of base64."""


class Echo:
    """One token in the forms in which a server may echo it."""

    def __init__(self, token: Secret) -> None:
        self.token = token
        self._forms = tuple(sorted({form for form in _forms(token) if len(form) >= _SHORTEST}))
        self._heads = tuple(
            re.compile(_GAP.pattern.join(re.escape(bytes([byte])) for byte in form[:_HEAD]))
            for form in self._forms
        )

    def without(self, reply: bytes) -> bytes:
        """Return the reply without the token; nearly always it is unchanged."""
        packed = _packed(reply)
        for form, head in zip(self._forms, self._heads, strict=True):
            if form[:_HEAD] in packed:
                reply = b"".join(_outside(reply, form, head))
        return reply


def _packed(text: bytes) -> bytes:
    if b"\\" in text:
        for escape in (rb"\n", rb"\r", rb"\t"):
            text = text.replace(escape, b"")
    return text.translate(None, b" \t\r\n=")


def _outside(text: bytes, form: bytes, head: re.Pattern[bytes]) -> Iterator[bytes]:
    """Yield the text around each occurrence of a form, and a mark in its place."""
    at = 0
    while found := head.search(text, at):
        yield text[at : found.start()]
        yield HIDDEN
        at = _end(text, found.end(), form[_HEAD:])
    yield text[at:]


def _end(text: bytes, at: int, rest: bytes) -> int:
    """Return the end of a form whose beginning ends at `at`."""
    for byte in rest:
        gap = _GAP.match(text, at)
        place = gap.end() if gap else at
        if text[place : place + 1] != bytes([byte]):
            break
        at = place + 1
    return at


def _forms(token: Secret) -> Iterator[bytes]:
    text = token.reveal()
    yield _packed(text.encode())
    yield quote(text, safe="").encode()
    yield json.dumps(text)[1:-1].replace("/", r"\/").encode()
    yield json.dumps(text)[1:-1].replace("+", r"\u002B").encode()
    for skipped, cut in ((0, 0), (1, 2), (2, 3)):  # base64 depends on the bytes before
        encoded = base64.b64encode(bytes(skipped) + text.encode()).rstrip(b"=")
        whole = encoded[cut : len(encoded) - bool((skipped + len(text.encode())) % 3)]
        yield whole
        yield whole.translate(bytes.maketrans(b"+/", b"-_"))
