"""Reads Partner Center's bodies into the shapes of `wire`.

A list is read item by item: an item that cannot be relied on is set apart, and the others are used.
A body without readable items raises `Malformed`, the only error of these functions; the caller
keeps the bytes.
"""

from typing import Generic, TypeVar

import msgspec

from auditor.partner_center import lenient, wire
from auditor.partner_center.strict_json import (
    REPLACED,
    is_clean,
    malformed,
    mended,
    read,
    repeated_keys,
    text_of,
    value_of,
)
from auditor.partner_center.strict_json import Malformed as Malformed  # noqa: PLC0414 - raised here

T = TypeVar("T")
MOST_SPOILED = 1000
"""A reply with more unusable items is `Malformed`: reading each of them alone is slow."""
MOST_ODD = 50_000
"""A reply with more items that do not fit their struct is `Malformed`, for the same reason."""
MOST_AVAILABILITIES = 10_000
LONGEST_NAME = 100
MOST_TOLD = 10
"""The most spoiled items of a reply that an event names."""


class Spoiled(msgspec.Struct, frozen=True, kw_only=True):
    """An unusable item in a list whose other items are usable; only this much of it is kept."""

    reason: str
    """The type that was expected, and where; no text of the reply."""
    id: str = ""
    """'' if it cannot be read."""
    name: str = ""
    """The company name, title or other name that people know it by, '' if it cannot be read."""
    names: tuple[str, str] | None = None
    """Of an inventory item: product and SKU; None if even these cannot be read."""

    @property
    def shown(self) -> str:
        """The id and the names that could be read, for people."""
        key = ":".join(name for name in self.names or () if name)
        return " ".join(part for part in (self.id, self.name, key) if part) or "without an id"


class Listed(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A list, item by item."""

    items: tuple[T, ...]
    spoiled: tuple[Spoiled, ...] = ()
    odd_fields: int = 0
    """The number of fields that decide nothing and could not be converted."""
    total_count: int | None = None
    """None if the reply has none."""
    links: wire.Links = wire.Links()

    @property
    def count(self) -> int:
        """The number of items that were sent, spoiled ones included."""
        return len(self.items) + len(self.spoiled)

    @property
    def spoiled_ids(self) -> frozenset[str]:
        """The ids that spoiled items show, in lower case."""
        return frozenset(one.id.lower() for one in self.spoiled if one.id)

    @property
    def has_nameless(self) -> bool:
        """Whether a spoiled item shows no id: it may be any item that the list seems to lack."""
        return any(not one.id for one in self.spoiled)


class InventoryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an inventory check, item by item."""

    items: tuple[wire.InventoryItem, ...]
    spoiled: tuple[Spoiled, ...] = ()
    repeated_keys: int = 0
    """How many keys that decide nothing were sent twice in one object: the last value counts."""
    odd_fields: int = 0
    """As `Listed.odd_fields`."""


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """The error in a body; both fields are '' if the body has none."""

    code: str = ""
    description: str = ""


def collection(body: bytes, item: type[T]) -> Listed[T]:
    """Read a list: the envelope, or a bare array; unusable items are set apart."""
    with malformed():
        text = text_of(body)
        if is_clean(text):
            try:
                whole = _collection(text, item)
            except msgspec.DecodeError:
                pass  # the slow way below finds the faulty items
            else:
                return Listed(items=whole.items, total_count=whole.total_count, links=whole.links)
        return _item_by_item(_envelope(mended(text)), item)


def one(body: bytes, item: type[T]) -> T:
    """Read a single object."""
    return single(body, item)[0]


def single(body: bytes, item: type[T]) -> tuple[T, int]:
    """Read a single object; return it and the number of its odd fields."""
    with malformed():
        text = text_of(body)
        if is_clean(text):
            try:
                return read(text, item), 0
            except msgspec.DecodeError:
                pass
        return _item(mended(text), item)


def inventory_answer(body: bytes) -> InventoryAnswer:
    """Read the answer to an inventory check; unusable items are set apart."""
    with malformed():
        text = text_of(body)
        if is_clean(text):
            try:
                whole = _collection(text, wire.InventoryItem)
            except msgspec.DecodeError:
                pass
            else:
                if not _may_repeat_keys(text, whole.items):
                    _check_whole(whole.links, whole.total_count, len(whole.items))
                    return InventoryAnswer(items=whole.items)
        return _inventory_items(mended(text))


def availabilities(body: bytes) -> tuple[wire.Availability, ...]:
    """Read availabilities from an envelope, an array or one object: Microsoft's pages disagree.

    One unusable item makes the whole list unusable: a term that is left out would look withdrawn.
    """
    with malformed():
        text = _readable(text_of(body))
        try:
            envelope = _envelope(text)
        except (_NoItems, msgspec.ValidationError):
            return (_availability(text),)
        _check_whole(envelope.links, envelope.total_count, len(envelope.items))
        if len(envelope.items) > MOST_AVAILABILITIES:
            raise Malformed(f"more than {MOST_AVAILABILITIES} availabilities of one SKU")
        return tuple(_availability(item) for item in envelope.items)


def error(body: bytes) -> Error:
    """Read the error in a body. Never raises: any body can come with any status."""
    try:
        sent = one(body, wire.ErrorBody)
    except Malformed:
        return Error()
    return Error(code=str(sent.code), description=sent.description or sent.message)


class _NoItems(Malformed):
    pass


class _TooOdd(Malformed):
    pass


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


def _readable(text: str) -> str:
    """Return a text that can be split into items, mended if need be."""
    if is_clean(text):
        try:
            read(text, msgspec.Raw)
        except msgspec.DecodeError:
            pass
        else:
            return text
    return mended(text)


def _envelope(text: str) -> wire.Collection[str]:
    """Return a list whose items are still JSON."""
    if text.startswith("["):
        sent = wire.Envelope(items=read(text, tuple[msgspec.Raw, ...]))
    else:
        sent = read(text, wire.Envelope)
    if sent.items is None and sent.total_count != 0:
        raise _NoItems("a list without items")
    links = _text(sent.links)
    return wire.Collection(
        items=tuple(_text(raw) for raw in sent.items or ()),
        total_count=sent.total_count,
        links=wire.Links() if links == "null" else _item(links, wire.Links)[0],
    )


def _text(raw: msgspec.Raw) -> str:
    return bytes(raw).decode()


def _check_whole(links: wire.Links, total_count: int | None, count: int) -> None:
    if links.next is not None or total_count not in {None, count}:
        raise Malformed("a list that is not whole")


def _item(text: str, item: type[T]) -> tuple[T, int]:
    """Read an item of a mended text, leniently if need be; return it and its odd fields' number."""
    return _Reader().item(text, item)


class _Reader:
    """Reads the items of one reply."""

    def __init__(self) -> None:
        self._slow = 0

    def item(self, text: str, item: type[T]) -> tuple[T, int]:
        """Do what `_item` does; raise if more than `MOST_ODD` items do not fit their struct."""
        if REPLACED not in text:
            try:
                return read(text, item), 0
            except msgspec.ValidationError:
                pass
        self._slow += 1
        if self._slow > MOST_ODD:
            raise _TooOdd(f"more than {MOST_ODD} items with an odd field")
        return lenient.read(value_of(text), item)


def _item_by_item(envelope: wire.Collection[str], item: type[T]) -> Listed[T]:
    items: list[T] = []
    spoiled: list[Spoiled] = []
    odd = 0
    reader = _Reader()
    for text in envelope.items:
        try:
            usable, fields = reader.item(text, item)
        except _TooOdd:
            raise
        except (ValueError, RecursionError) as exc:
            _set_apart(spoiled, Spoiled(reason=str(exc), id=_id_of(text), name=_name_of(text)))
        else:
            items.append(usable)
            odd += fields
    return Listed(
        items=tuple(items),
        spoiled=tuple(spoiled),
        odd_fields=odd,
        total_count=envelope.total_count,
        links=envelope.links,
    )


def _inventory_items(text: str) -> InventoryAnswer:
    items: list[wire.InventoryItem] = []
    spoiled: list[Spoiled] = []
    repeated = odd = 0
    envelope = _envelope(text)
    _check_whole(envelope.links, envelope.total_count, len(envelope.items))
    reader = _Reader()
    for sent in envelope.items:
        try:
            twice = repeated_keys(sent, _DECISIVE)
            item, fields = reader.item(sent, wire.InventoryItem)
        except _TooOdd:
            raise
        except (ValueError, RecursionError) as exc:
            _set_apart(spoiled, Spoiled(reason=str(exc), names=_names_of(sent)))
        else:
            items.append(item)
            repeated += twice
            odd += fields
    return InventoryAnswer(
        items=tuple(items), spoiled=tuple(spoiled), repeated_keys=repeated, odd_fields=odd
    )


def _set_apart(spoiled: list[Spoiled], one_more: Spoiled) -> None:
    spoiled.append(one_more)
    if len(spoiled) > MOST_SPOILED:
        raise Malformed(f"more than {MOST_SPOILED} items that cannot be used")


def _id_of(item: str) -> str:
    """Return the id of a spoiled item, '' if it has none that can be relied on."""
    try:
        repeated_keys(item, {"id"})
        found = read(item, wire.Identified).id
    except (ValueError, RecursionError):
        return ""
    return "" if REPLACED in found else found


def _name_of(item: str) -> str:
    """Return what people call a spoiled item, '' if that cannot be read."""
    try:
        return read(item, wire.Shown).name[:LONGEST_NAME]
    except (ValueError, RecursionError):
        return ""


def _names_of(item: str) -> tuple[str, str] | None:
    try:
        repeated_keys(item, _NAMES)
        named = lenient.read(value_of(item), wire.Named)[0]
    except (ValueError, RecursionError):
        return None
    return named.product_id, named.sku_id


def _may_repeat_keys(text: str, items: tuple[wire.InventoryItem, ...]) -> bool:
    """Return whether a key may be repeated. It counts names: faster than reading each object."""
    restrictions = sum(len(item.restrictions) for item in items)
    return (
        "\\u00" in text  # a letter of a key may be escaped
        or any(text.count(key) > len(items) for key in _OF_ITEM)
        or any(text.count(key) > restrictions for key in _OF_RESTRICTION)
    )


def _availability(text: str) -> wire.Availability:
    repeated = repeated_keys(text, _DECISIVE)
    availability, _ = _item(text, wire.Availability)
    sent: dict[str, object] = value_of(text)  # an object: else the line before would have raised
    # An object without a SKU id is shaped like a SKU: its unknown fields are a SKU's.
    names = sent.keys() - _KNOWN if availability.sku_id else ()
    lifecycle = {name: sent[name] for name in names}
    return msgspec.structs.replace(
        availability,
        raw=text,
        lifecycle=msgspec.json.encode(lifecycle, order="sorted").decode() if lifecycle else "",
        repeated_keys=repeated,
    )
