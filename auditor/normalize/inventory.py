"""Reads the reply to an inventory check: the keys it answers, and those it does not. Pure.

Partner Center leaves out what is not in its catalog instead of reporting it, so a missing item is
an answer, but only if the rest of the reply can be trusted. If the reply holds an item that was
not requested, it may be a requested one under another id; missing keys are then unknown, not gone.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from auditor.model import SPOILED_ITEM, Check, Question
from auditor.partner_center import decoding, wire

MISMATCHED_ECHO = "mismatched_echo"
"""An item for a product or SKU that was not requested."""
DISAGREEING_DUPLICATES = "disagreeing_duplicates"

_KNOWN_PROPERTIES = {"type", "values"}
_LOCATION = "location"
"""The type of restrictions whose values are regions, in lower case."""

SkusOf = Callable[[Check], Sequence[str]]
_Name = tuple[str, str]
"""Product and SKU in one letter case."""


class RequestedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A requested key, and its item in the reply."""

    check: Check
    sku_id: str
    item: wire.InventoryItem | None
    """None if the reply has no item for it: in an answered key, it is not in the catalog."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A reply, key by key."""

    answered: tuple[RequestedKey, ...]
    unanswered: Mapping[str, tuple[RequestedKey, ...]]
    """Keys without an answer, by reason."""
    set_apart: Mapping[str, int]
    """Number of items that give no verdict, by reason."""
    spoiled: tuple[decoding.Spoiled, ...] = ()
    """Those of them that cannot be used."""


def read(question: Question, body: bytes, skus_of: SkusOf) -> Reading:
    """Read the reply to all checks of a question, which were sent together.

    Args:
        question: the question as it was sent.
        body: the reply.
        skus_of: the requested SKUs of a check.

    Raises:
        decoding.Malformed: the reply cannot be read at all.
    """
    answer = decoding.inventory_answer(body)
    items: dict[_Name, list[wire.InventoryItem]] = defaultdict(list)
    for item in answer.items:
        items[_name(item.product_id, item.sku_id)].append(item)
    spoiled = {_name(*one.names) for one in answer.spoiled if one.names}
    requested = {
        _name(check.product_id, sku_id): RequestedKey(check=check, sku_id=sku_id, item=None)
        for check in question.checks
        for sku_id in skus_of(check)
    }
    whole = {check.product_id.upper() for check in question.checks if not check.sku_id}
    set_apart = Counter({SPOILED_ITEM: len(answer.spoiled)} if answer.spoiled else {})
    for name in [*items, *(spoiled - items.keys())]:
        if name not in requested and name[0] not in whole:
            set_apart[MISMATCHED_ECHO] += max(1, len(items.get(name, ())))
    nameless = any(not one.names for one in answer.spoiled)
    doubt = MISMATCHED_ECHO if set_apart[MISMATCHED_ECHO] else SPOILED_ITEM if nameless else ""
    answered: list[RequestedKey] = []
    unanswered: dict[str, list[RequestedKey]] = defaultdict(list)
    for name, key in requested.items():
        same = items.get(name, [])
        if name in spoiled:
            unanswered[SPOILED_ITEM].append(key)
        elif len({_content(item) for item in same}) > 1:
            set_apart[DISAGREEING_DUPLICATES] += len(same)
            unanswered[DISAGREEING_DUPLICATES].append(key)
        elif same:
            answered.append(msgspec.structs.replace(key, item=same[0]))
        elif doubt:
            unanswered[doubt].append(key)
        else:
            answered.append(key)
    return Reading(
        answered=tuple(answered),
        unanswered={reason: tuple(keys) for reason, keys in unanswered.items()},
        set_apart={reason: count for reason, count in set_apart.items() if count},
        spoiled=answer.spoiled,
    )


def parts(item: wire.InventoryItem) -> list[tuple[str, str, str, str, str]]:
    """Return (code, type, value, description, other properties), one for each value, sorted.

    Values of the type Location are in lower case. Letter case changes no order.
    """
    return sorted(_parts(item.restrictions), key=lambda part: (_folded(part), part))


def _content(item: wire.InventoryItem) -> tuple[object, ...]:
    """Return what makes two items equal: order and letter case of restrictions do not count."""
    return item.is_restricted, tuple(map(_folded, parts(item)))


def _folded(part: Iterable[str]) -> tuple[str, ...]:
    return tuple(text.lower() for text in part)


def _parts(restrictions: Iterable[wire.Restriction]) -> Iterator[tuple[str, str, str, str, str]]:
    for restriction in restrictions:
        properties = restriction.properties
        other = {k: v for k, v in properties.items() if k not in _KNOWN_PROPERTIES}
        rest = json.dumps(other, sort_keys=True, ensure_ascii=False) if other else ""
        kind = text(properties.get("type"))
        sent = _values(properties.get("values"))
        values = {value.strip() for value in _of_type(kind, sent).split(",")}
        for value in values - {""} or {""}:
            yield restriction.reason_code, kind, value, restriction.description, rest


def _of_type(kind: str, values: str) -> str:
    """Return values in the spelling in which they are compared: regions in lower case."""
    return values.lower() if kind.lower() == _LOCATION else values


def text(value: object) -> str:
    """Return a value of an open set as text: '' for none, JSON where it is no text."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _values(value: object) -> str:
    """Return values as the one string they are sent as; a sibling API sends a list."""
    return ",".join(map(text, value)) if isinstance(value, list) else text(value)


def _name(product_id: str, sku_id: str) -> _Name:
    return product_id.upper(), sku_id.upper()
