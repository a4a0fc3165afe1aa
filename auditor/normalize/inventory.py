"""What the reply to an inventory check says of each asked key, and of which it says nothing. Pure.

Partner Center leaves out what is not in its catalog instead of saying so: absence is an answer.
It is one only where the rest of the reply can be trusted. An item about something else may be an
asked one under another id, so beside it what is missing is unknown, not gone.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from auditor.model import Check, Question
from auditor.partner_center import decoding, wire

MISMATCHED_ECHO = "mismatched_echo"
"""An item for another product, or for a SKU that was not asked about."""
DISAGREEING_DUPLICATES = "disagreeing_duplicates"
SPOILED_ITEM = "spoiled_item"
"""An item that cannot be decoded, or that says something decisive twice."""

_KNOWN_PROPERTIES = {"type", "values"}

SkusOf = Callable[[Check], Sequence[str]]
_Name = tuple[str, str]
"""Product and SKU in one letter case."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A key with an answer."""

    check: Check
    sku_id: str
    item: wire.InventoryItem | None
    """None: it is not in the catalog."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A reply, key by key."""

    told: tuple[Told, ...]
    untold: Mapping[str, tuple[Told, ...]]
    """Keys without an answer, by reason."""
    set_apart: Mapping[str, int]
    """Items that make no verdict, by reason."""
    others: int
    """Items for SKUs that the catalog does not list, of products asked whole: counted only."""


def read(question: Question, body: bytes, skus_of: SkusOf) -> Reading:
    """Read the reply to all checks of a question, as they went out together.

    Args:
        question: what was asked.
        body: the reply.
        skus_of: the asked SKUs of a check.

    Raises:
        decoding.Malformed: nothing of it can be read.
    """
    answer = decoding.inventory_answer(body)
    items: dict[_Name, list[wire.InventoryItem]] = defaultdict(list)
    for item in answer.items:
        items[_name(item.product_id, item.sku_id)].append(item)
    spoiled = {_name(*one.names) for one in answer.spoiled if one.names}
    asked = {
        _name(check.product_id, sku_id): Told(check=check, sku_id=sku_id, item=None)
        for check in question.checks
        for sku_id in skus_of(check)
    }
    whole = {check.product_id.upper() for check in question.checks if not check.sku_id}
    set_apart = Counter({SPOILED_ITEM: len(answer.spoiled)} if answer.spoiled else {})
    others = 0
    for name in [*items, *(spoiled - items.keys())]:
        if name in asked:
            continue
        if name[0] in whole:
            others += len(items.get(name, ()))
        else:
            set_apart[MISMATCHED_ECHO] += max(1, len(items.get(name, ())))
    nameless = any(not one.names for one in answer.spoiled)
    doubt = MISMATCHED_ECHO if set_apart[MISMATCHED_ECHO] else SPOILED_ITEM if nameless else ""
    told: list[Told] = []
    untold: dict[str, list[Told]] = defaultdict(list)
    for name, key in asked.items():
        same = items.get(name, [])
        if name in spoiled:
            untold[SPOILED_ITEM].append(key)
        elif len({_said(item) for item in same}) > 1:
            set_apart[DISAGREEING_DUPLICATES] += len(same)
            untold[DISAGREEING_DUPLICATES].append(key)
        elif same:
            told.append(msgspec.structs.replace(key, item=same[0]))
        elif doubt:
            untold[doubt].append(key)
        else:
            told.append(key)
    return Reading(
        told=tuple(told),
        untold={reason: tuple(keys) for reason, keys in untold.items()},
        set_apart={reason: count for reason, count in set_apart.items() if count},
        others=others,
    )


def parts(item: wire.InventoryItem) -> list[tuple[str, str, str, str, str]]:
    """Return (code, type, value, description, other properties), one for each value, sorted."""
    return sorted(_parts(item.restrictions))


def _said(item: wire.InventoryItem) -> tuple[object, ...]:
    """Return what counts of an item: the order of its restrictions does not."""
    return item.is_restricted, tuple(parts(item))


def _parts(
    restrictions: Iterable[wire.Restriction],
) -> Iterator[tuple[str, str, str, str, str]]:
    for restriction in restrictions:
        properties = restriction.properties
        other = {k: v for k, v in properties.items() if k not in _KNOWN_PROPERTIES}
        rest = json.dumps(other, sort_keys=True, ensure_ascii=False) if other else ""
        kind = text(properties.get("type"))
        values = {value.strip() for value in _values(properties.get("values")).split(",")}
        for value in values - {""} or {""}:
            yield restriction.reason_code, kind, value, restriction.description, rest


def text(value: object) -> str:
    """Return a value of an open set as text: '' for none, JSON where it is no text."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _values(value: object) -> str:
    """Return values as the one string they are sent as; a sibling API sends a list."""
    return ",".join(map(text, value)) if isinstance(value, list) else text(value)


def _name(product_id: str, sku_id: str) -> _Name:
    return product_id.upper(), sku_id.upper()
