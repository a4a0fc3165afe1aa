"""Reads the reply to an inventory check: which keys are answered, and which are not. Pure.

A reply leaves out each SKU that is not in the catalog. So a missing item is an answer, but only if
each item in the reply shows its SKU and was requested. An item that was not requested may be a
requested SKU under another id; the missing keys are then unknown, not gone.
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
"""Product id and SKU id, both in the same letter case, so that they can be compared."""


class RequestedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A requested key, and its item in the reply."""

    check: Check
    sku_id: str
    item: wire.InventoryItem | None
    """None if the reply has no item for the key: an answered key is then not in the catalog."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A reply, key by key."""

    answered: tuple[RequestedKey, ...]
    unanswered: Mapping[str, tuple[RequestedKey, ...]]
    """Keys without an answer, by reason."""
    set_apart: Mapping[str, int]
    """Number of items that give no verdict, by reason."""
    spoiled: tuple[decoding.Spoiled, ...] = ()
    """The items set apart because they are spoiled."""


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
    """Return (code, type, value, description, other properties) for each value, sorted.

    Values of the type Location are in lower case. The sort order ignores letter case.
    """
    return sorted(_parts(item.restrictions), key=lambda part: (_folded(part), part))


def _content(item: wire.InventoryItem) -> tuple[object, ...]:
    """Return the parts of an item that are compared with another item of the same key.

    Order and letter case of its restrictions do not count.
    """
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
    """Return values as they are compared: regions in lower case, others unchanged."""
    return values.lower() if kind.lower() == _LOCATION else values


def text(value: object) -> str:
    """Return a value of any type as text: '' for none, JSON for a value that is not text."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _values(value: object) -> str:
    """Return the values of a restriction as one string; a related API sends them as a list."""
    return ",".join(map(text, value)) if isinstance(value, list) else text(value)


def _name(product_id: str, sku_id: str) -> _Name:
    return product_id.upper(), sku_id.upper()
