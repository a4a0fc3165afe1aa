"""Reads Partner Center's bodies into the shapes of `wire`.

A wrong type in a field of `wire` raises `Malformed`, the only error of these functions; the caller
keeps the bytes.
"""

from typing import TypeVar

import msgspec

from auditor.partner_center import wire
from auditor.partner_center.strict_json import Malformed as Malformed  # noqa: PLC0414 - raised here
from auditor.partner_center.strict_json import malformed, read, repeated_keys, text_of

T = TypeVar("T")
MOST_SPOILED = 1000
"""A reply with more unusable items is `Malformed`: each of them takes a slow look by itself."""
MOST_AVAILABILITIES = 10_000


class Spoiled(msgspec.Struct, frozen=True, kw_only=True):
    """An unusable item in a list whose other items are usable."""

    reason: str
    raw: str
    names: tuple[str, str] | None = None
    """Product and SKU; None if even these cannot be read."""


class InventoryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an inventory check, item by item."""

    items: tuple[wire.InventoryItem, ...]
    spoiled: tuple[Spoiled, ...] = ()
    repeated_keys: int = 0
    """Keys sent twice in one object, in fields that decide nothing: the last value counts."""


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """The error in a body; both fields are '' if the body has none."""

    code: str = ""
    description: str = ""


def collection(body: bytes, item: type[T]) -> wire.Collection[T]:
    """Read a list: the envelope, or a bare array."""
    with malformed():
        return _collection(text_of(body), item)


def one(body: bytes, item: type[T]) -> T:
    """Read a single object."""
    with malformed():
        return read(text_of(body), item)


def inventory_answer(body: bytes) -> InventoryAnswer:
    """Read the answer to an inventory check; unusable items are set apart."""
    with malformed():
        text = text_of(body)
        try:
            items = _whole_list(text, wire.InventoryItem)
        except msgspec.ValidationError:
            return _item_by_item(text)
        if _may_repeat_keys(text, items):
            return _item_by_item(text)
        return InventoryAnswer(items=items)


def availabilities(body: bytes) -> tuple[wire.Availability, ...]:
    """Read availabilities from an envelope, a bare array or one object: the sources disagree.

    One unusable item makes the whole list unusable: a term that is left out would look withdrawn.
    """
    with malformed():
        text = text_of(body)
        try:
            raws = _whole_list(text, msgspec.Raw)
        except msgspec.ValidationError:
            return (_availability(text),)
        if len(raws) > MOST_AVAILABILITIES:
            raise Malformed(f"more than {MOST_AVAILABILITIES} availabilities of one SKU")
        return tuple(_availability(bytes(raw).decode()) for raw in raws)


def error(body: bytes) -> Error:
    """Read the error in a body. Never raises: any body can come with any status."""
    try:
        sent = one(body, wire.ErrorBody)
    except Malformed:
        return Error()
    return Error(code=str(sent.code), description=sent.description or sent.message)


_DECISIVE = frozenset(
    {"productId", "skuId", "isRestricted", "restrictions", "isPurchasable", "segment", "terms"}
)
_NAMES = frozenset({"productId", "skuId"})
_OF_ITEM = ('"productId"', '"skuId"', '"isRestricted"', '"restrictions"')
_OF_RESTRICTION = ('"reasonCode"', '"description"', '"properties"')
_KNOWN = frozenset(f.encode_name for f in msgspec.structs.fields(wire.Availability)) | {
    "links",
    "product",
    "includedQuantityOptions",
    "attributes",
}


def _collection(text: str, item: type[T]) -> wire.Collection[T]:
    if text.startswith("["):
        items: tuple[T, ...] = read(text, tuple[item, ...])  # type: ignore[valid-type] # at run time
        return wire.Collection(items=items)
    return read(text, wire.Collection[item])  # type: ignore[valid-type] # known at run time


def _whole_list(text: str, item: type[T]) -> tuple[T, ...]:
    whole = _collection(text, item)
    if whole.links.next is not None or whole.total_count not in (None, len(whole.items)):
        raise Malformed("a list that is not whole")
    return whole.items


def _item_by_item(text: str) -> InventoryAnswer:
    items: list[wire.InventoryItem] = []
    spoiled: list[Spoiled] = []
    repeated = 0
    for raw in _whole_list(text, msgspec.Raw):
        item = bytes(raw).decode()
        try:
            twice = repeated_keys(item, _DECISIVE)
            items.append(read(item, wire.InventoryItem))
            repeated += twice
        except ValueError as exc:
            spoiled.append(Spoiled(reason=str(exc), raw=item, names=_names_of(item)))
            if len(spoiled) > MOST_SPOILED:
                raise Malformed(f"more than {MOST_SPOILED} items that cannot be used") from exc
    return InventoryAnswer(items=tuple(items), spoiled=tuple(spoiled), repeated_keys=repeated)


def _names_of(item: str) -> tuple[str, str] | None:
    try:
        repeated_keys(item, _NAMES)
        named = read(item, wire.Named)
    except ValueError:
        return None
    return named.product_id, named.sku_id


def _may_repeat_keys(text: str, items: tuple[wire.InventoryItem, ...]) -> bool:
    """Tell whether a key may be repeated, by counting names: faster than a look at each object."""
    restrictions = sum(len(item.restrictions) for item in items)
    return (
        "\\u00" in text  # a letter of a key may be escaped
        or any(text.count(key) > len(items) for key in _OF_ITEM)
        or any(text.count(key) > restrictions for key in _OF_RESTRICTION)
    )


def _availability(text: str) -> wire.Availability:
    repeated = repeated_keys(text, _DECISIVE)
    availability = read(text, wire.Availability)
    sent = read(text, dict[str, object])
    # An object without a SKU id is shaped like a SKU: its unknown fields are a SKU's.
    names = sent.keys() - _KNOWN if availability.sku_id else ()
    lifecycle = {name: sent[name] for name in names}
    return msgspec.structs.replace(
        availability,
        raw=text,
        lifecycle=msgspec.json.encode(lifecycle, order="sorted").decode() if lifecycle else "",
        repeated_keys=repeated,
    )
