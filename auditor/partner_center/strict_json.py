"""Reads untrusted JSON; `Malformed` is the only error.

Unusable JSON raises errors of several kinds: RecursionError for depth, UnicodeError for a lone
surrogate, ValueError for a long number. This module knows no field of any API.
"""

import json
import re
from collections.abc import Collection, Hashable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

T = TypeVar("T")
REPLACED = "\ufffd"
"""Stands for text that no store can hold."""
TOO_LARGE = "1e999"
"""Stands for NaN and the infinities, which JSON lacks. As a number, it cannot pass for text."""
MOST_COMMAS = 2**20
"""No answer has more commas. Python objects take fifty times the memory of their text."""
MOST_TOKENS = 2**22
"""The most quotation marks and escapes of a body that is mended: each of them is slow."""
MOST_MENDED = 2**17
_UNCLEAN = re.compile(r"\\u(?:0000|[dD][89a-fA-F]|[fF]{3}[dD])")
"""An escape that may stand for a NUL, half of a surrogate pair or U+FFFD."""
_TOKEN = re.compile(
    r'"'
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<lost>\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2}|[fF]{3}[dD]))"
    r"|\\."
    r"|(?P<constant>NaN|-?Infinity)"
    r"|(?P<control>[\x00-\x1f])",
    re.DOTALL,
)


class Malformed(ValueError):
    """A body that does not fit the documents."""


@contextmanager
def malformed() -> Iterator[None]:
    """Turn every decoding error inside into `Malformed`."""
    try:
        yield
    except Malformed:
        raise
    except (msgspec.DecodeError, ValueError, RecursionError, OverflowError) as exc:
        raise Malformed(" ".join(str(exc).split())[:200] or type(exc).__name__) from exc


def text_of(body: bytes) -> str:
    """Return the body as text, without byte order mark and surrounding white space.

    Bytes that are not UTF-8 become U+FFFD.
    """
    text = body.decode("utf-8-sig", "replace").strip(" \t\r\n")
    if not text:
        raise Malformed("empty body")
    if text.count(",") > MOST_COMMAS:
        raise Malformed("more values than any answer has")
    return text


def is_clean(text: str) -> bool:
    """Return whether it is certain that a text holds nothing that `mended` replaces."""
    # one character is found ten times as fast as two
    return REPLACED not in text and not ("\\" in text and _UNCLEAN.search(text))


def mended(text: str) -> str:
    """Return JSON whose faults are replaced as far as possible.

    NUL and half of a surrogate pair, escaped or not, become U+FFFD, because no store can hold them.
    NaN becomes `TOO_LARGE`. Other control characters inside a text become escapes, as JSON demands.
    """
    if text.count('"') + text.count("\\") > MOST_TOKENS:
        raise Malformed("more texts than can be mended")
    if text.count(REPLACED) > MOST_MENDED:
        raise Malformed("more bytes that are not UTF-8 than in any answer")
    pieces: list[str] = []
    at, is_inside = 0, False
    for token in _TOKEN.finditer(text):
        match token.lastgroup:
            case "lost":
                by = REPLACED
            case "constant" if not is_inside:
                by = TOO_LARGE
            case "control" if is_inside:
                by = REPLACED if token[0] == "\0" else f"\\u{ord(token[0]):04x}"
            case _:
                is_inside ^= token[0] == '"'
                continue
        pieces += (text[at : token.start()], by)
        at = token.end()
        if len(pieces) > MOST_MENDED:
            raise Malformed("more to mend than in any answer")
    return "".join((*pieces, text[at:])) if pieces else text


def read(text: str, to: type[T]) -> T:
    """Decode strictly."""
    value: T = _decoder(cast("Hashable", to)).decode(text)  # every type is hashable
    return value


def value_of(text: str) -> Any:  # Any: any JSON
    """Return any JSON as Python values; a number that is too large for one is infinite."""
    return json.loads(text, parse_int=_whole)


def repeated_keys(text: str, decisive: Collection[str]) -> int:
    """Count keys sent twice in one object; raise if the outermost has a decisive key twice."""
    repeated = 0
    outermost: set[str] = set()

    def pairs(members: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal repeated, outermost
        kept: dict[str, object] = {}
        outermost = set()  # the outermost object ends last, so its keys remain
        for name, value in members:
            if name in kept:
                outermost.add(name)
            kept[name] = value
        repeated += len(members) - len(kept)
        return kept

    json.loads(text, object_pairs_hook=pairs, parse_int=_whole)
    if twice := sorted(outermost.intersection(decisive)):
        raise Malformed(f"key sent twice: {', '.join(twice)}")
    return repeated


@cache
def _decoder(to: Hashable) -> msgspec.json.Decoder[Any]:  # Any: of what `to` names
    return msgspec.json.Decoder(to)


def _whole(digits: str) -> float:
    return int(digits) if len(digits) < 20 else float(digits)  # noqa: PLR2004 - 64 bits
