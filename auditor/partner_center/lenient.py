"""Reads an item that does not fit its struct in `wire`, if its deciding fields are right.

In `wire`, a field that decides nothing is marked `Lenient`. There, a value of another type is
converted. If that fails, the field is counted, and its value is kept as JSON text or left out. All
other fields are strict. A null is an absent field everywhere.
"""

import json
import math
import re
from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect

from auditor.partner_center.strict_json import REPLACED, Malformed

T = TypeVar("T")
LENIENT = "lenient"
"""Marks a type in the `extra` of its `msgspec.Meta`: a value of this type decides nothing."""
OR_ID = "or_id"
"""Marks a struct in the same `extra`: a text that is sent instead of the object is its id."""
DECIDING = "deciding"
"""Names in the same `extra` the keys of an open object whose texts decide something."""
_ABSENT = object()
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}(?:\.0{1,19})?")
_FLAGS = {"true": True, "false": False}


def read(value: object, to: type[T]) -> tuple[T, int]:
    """Return a value as the struct, and the number of its fields that could not be converted.

    Raises:
        Malformed: a strict field holds text that no store can hold.
        msgspec.ValidationError: a strict field has another type, or is missing.
    """
    reading = _Reading()
    kind = _type_of(cast("Hashable", to))  # every type is hashable
    return msgspec.convert(reading.strict(value, kind, "$"), to), reading.odd


@cache
def _type_of(to: Hashable) -> inspect.Type:
    return inspect.type_info(to)


class _Reading:
    def __init__(self) -> None:
        self.odd = 0

    def strict(self, value: object, kind: inspect.Type, at: str) -> object:
        """Return a value for `msgspec.convert`, which checks its type."""
        match kind:
            case inspect.Metadata():
                return self._marked(value, kind, at)
            case inspect.StructType() if isinstance(value, dict):
                return self._members(value, kind, at)
            case inspect.VarTupleType() if isinstance(value, list):
                return [self.strict(one, kind.item_type, f"{at}[...]") for one in value]
            case inspect.UnionType():
                return self.strict(value, _member(kind, value), at)
            case inspect.StrType():
                _storable(value, at)
            case _:
                pass
        return value

    def _marked(self, value: object, kind: inspect.Metadata, at: str) -> object:
        marks: Mapping[str, Any] = kind.extra or {}  # Any: as `extra` is typed
        if OR_ID in marks and isinstance(value, str):
            value = {"id": value}
        if isinstance(value, dict):
            for name in marks.get(DECIDING, ()):
                _storable(value.get(name), f"{at}.{name}")
        if LENIENT not in marks:
            return self.strict(value, kind.type, at)
        found = self._lenient(value, kind.type, at)
        self.odd += found is _ABSENT
        return found

    def _members(self, value: dict[str, object], kind: inspect.StructType, at: str) -> object:
        members = {}
        for field in kind.fields:
            sent = value.get(field.encode_name)
            if sent is not None:
                found = self.strict(sent, field.type, f"{at}.{field.encode_name}")
                if found is not _ABSENT:
                    members[field.encode_name] = found
        return members

    def _lenient(self, value: object, kind: inspect.Type, at: str) -> object:
        match kind:
            case inspect.UnionType():
                found = self._lenient(value, _member(kind, value), at)
            case inspect.StructType():
                found = self._struct(value, kind, at)
            case inspect.StrType():
                found = self._text(value)
            case inspect.IntType():
                found = _whole(value, kind)
            case inspect.BoolType() if isinstance(value, str):
                found = _FLAGS.get(value.lower(), _ABSENT)
            case _:
                found = value if isinstance(value, bool) else _ABSENT
        return found

    def _struct(self, value: object, kind: inspect.StructType, at: str) -> object:
        try:
            members = self.strict(value, kind, at)
            msgspec.convert(members, kind.cls)
        except (Malformed, msgspec.ValidationError):
            return _ABSENT
        return members

    def _text(self, value: object) -> object:
        if isinstance(value, str):
            return value
        if isinstance(value, float) and not math.isfinite(value):
            return _ABSENT
        self.odd += isinstance(value, (bool, list, dict))
        return json.dumps(value, ensure_ascii=False)


def _storable(value: object, at: str) -> None:
    if isinstance(value, list):
        for one in value:
            _storable(one, at)
    elif isinstance(value, str) and REPLACED in value:
        raise Malformed(f"a text that no store can hold - at `{at}`")


def _member(kind: inspect.UnionType, value: object) -> inspect.Type:
    """Return the type of a union that a value is read as: its struct if the value is an object."""
    types = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
    is_object = isinstance(value, dict)
    fits = (one for one in types if isinstance(one, inspect.StructType) is is_object)
    return next(fits, types[0])


def _whole(value: object, kind: inspect.IntType) -> object:
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        value = int(value.strip().partition(".")[0])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return _ABSENT
    lowest = value if kind.ge is None else kind.ge
    highest = value if kind.le is None else kind.le
    return value if lowest <= value <= highest else _ABSENT
