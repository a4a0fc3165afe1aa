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
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""An escaped NUL; after an escaped backslash the same six characters are plain text."""
MOST_COMMAS = 2**20
"""More values than any answer has: Python objects take fifty times the memory of their text."""


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
    """Return the body as text, without byte order mark and surrounding white space."""
    text = body.decode("utf-8-sig").strip(" \t\r\n")
    if not text:
        raise Malformed("empty body")
    if "\\u0000" in text and _NUL.search(text):
        raise Malformed("NUL in a text, which no store keeps")
    if text.count(",") > MOST_COMMAS:
        raise Malformed("more values than any answer has")
    return text


def read(text: str, to: type[T]) -> T:
    """Decode strictly, but read a null as an absent field."""
    try:
        value: T = _decoder(cast("Hashable", to)).decode(text)  # every type is hashable
    except msgspec.ValidationError:
        if "null" not in text:
            raise
        value = msgspec.json.decode(
            msgspec.json.encode(_without_nulls(msgspec.json.decode(text))), type=to
        )
    return value


def repeated_keys(text: str, decisive: Collection[str]) -> int:
    """Count keys sent twice in one object; a decisive one in the outermost raises `Malformed`."""
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

    json.loads(text, object_pairs_hook=pairs)
    if twice := sorted(outermost.intersection(decisive)):
        raise Malformed(f"key sent twice: {', '.join(twice)}")
    return repeated


@cache
def _decoder(to: Hashable) -> msgspec.json.Decoder[Any]:  # Any: of what `to` names
    return msgspec.json.Decoder(to)


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v) for v in value]
    return value
