"""Servers that show what was sent to them, and so the token: it is taken out of what they say.

Debug pages, gateways and proxies do. What they say is journaled, quoted in errors and published,
so it is done here, once, before anybody else has seen it.
"""

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote

from auditor.secret import Secret

HIDDEN = b"***"
_HEAD = 16
"""So much of a token, or of a form of it, is the token: a page may show its beginning only."""
_SHORTEST = 8
_GAP = re.compile(rb"(?:[ \t\r\n=]|\\[nrt])*")
"""What a page that breaks lines puts in between, and what pads base64."""


class Echo:
    """Knows one token in the forms in which it comes back."""

    def __init__(self, token: Secret) -> None:
        self.token = token
        self._forms = tuple(sorted({form for form in _forms(token) if len(form) >= _SHORTEST}))
        self._heads = tuple(
            re.compile(_GAP.pattern.join(re.escape(bytes([byte])) for byte in form[:_HEAD]))
            for form in self._forms
        )

    def without(self, said: bytes) -> bytes:
        """Return what was said without the token; nearly always just as it came."""
        packed = _packed(said)
        for form, head in zip(self._forms, self._heads, strict=True):
            if form[:_HEAD] in packed:
                said = b"".join(_outside(said, form, head))
        return said


def _packed(said: bytes) -> bytes:
    if b"\\" in said:
        for escape in (rb"\n", rb"\r", rb"\t"):
            said = said.replace(escape, b"")
    return said.translate(None, b" \t\r\n=")


def _outside(said: bytes, form: bytes, head: re.Pattern[bytes]) -> Iterator[bytes]:
    """Yield what stands between the places where a form begins, and a mark for each of these."""
    at = 0
    while found := head.search(said, at):
        yield said[at : found.start()]
        yield HIDDEN
        at = _end(said, found.end(), form[_HEAD:])
    yield said[at:]


def _end(said: bytes, at: int, rest: bytes) -> int:
    """Return how far the rest of a form goes on at a place."""
    for byte in rest:
        gap = _GAP.match(said, at)
        place = gap.end() if gap else at
        if said[place : place + 1] != bytes([byte]):
            break
        at = place + 1
    return at


def _forms(token: Secret) -> Iterator[bytes]:
    text = token.reveal()
    yield _packed(text.encode())
    yield quote(text, safe="").encode()
    yield json.dumps(text)[1:-1].replace("/", r"\/").encode()
    yield json.dumps(text)[1:-1].replace("+", r"\u002B").encode()
    for skipped, cut in ((0, 0), (1, 2), (2, 3)):  # base64 depends on what stands before
        encoded = base64.b64encode(bytes(skipped) + text.encode()).rstrip(b"=")
        whole = encoded[cut : len(encoded) - bool((skipped + len(text.encode())) % 3)]
        yield whole
        yield whole.translate(bytes.maketrans(b"+/", b"-_"))
