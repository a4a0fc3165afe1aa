"""JSON from strangers: read it, or say `Malformed`; nothing else comes out.

The ways to be unusable are not one family: depth is a RecursionError, a lone surrogate a
UnicodeError, a long number a ValueError. Knows no field of any API.
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
"""Written as an escape; behind a backslash that is escaped itself it is six plain characters."""
MOST_COMMAS = 2**20
"""More values than any answer has: as Python objects they take fifty times their room as text."""


class Malformed(ValueError):
    """A body that is not what the documents promise."""


@contextmanager
def malformed() -> Iterator[None]:
    """Turn whatever goes wrong inside into `Malformed`."""
    try:
        yield
    except Malformed:
        raise
    except (msgspec.DecodeError, ValueError, RecursionError, OverflowError) as exc:
        raise Malformed(" ".join(str(exc).split())[:200] or type(exc).__name__) from exc


def text_of(body: bytes) -> str:
    """Return the body as text, without a byte order mark and white space around."""
    text = body.decode("utf-8-sig").strip(" \t\r\n")
    if not text:
        raise Malformed("empty body")
    if "\\u0000" in text and _NUL.search(text):
        raise Malformed("NUL in a text, which no store keeps")
    if text.count(",") > MOST_COMMAS:
        raise Malformed("more values than any answer has")
    return text


def read(text: str, to: type[T]) -> T:
    """Decode strictly, but for a null, which is an absent field."""
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
    """Count keys sent twice in one object; in the outermost, a decisive one is not to be read."""
    repeated = 0
    outermost: set[str] = set()

    def pairs(members: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal repeated, outermost
        kept: dict[str, object] = {}
        outermost = set()  # the outermost object is finished last, so its keys are what stays
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
