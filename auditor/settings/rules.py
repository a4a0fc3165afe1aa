"""The rules of values: one small function per kind of value.

A rule returns the value in the auditor's form, or raises `Wrong`. A rule whose value may be a
secret never shows it.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from auditor.model import is_guid
from auditor.settings import known_places
from auditor.settings.problems import GUID, REGION, Mistake, Wrong, nearest

# A rule's result has the type of its field; the decoder does not check it again.
Rule = Callable[[object], Any]

_ID = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
_PRODUCT = re.compile(rf"{_ID}(:{_ID})?")
_MUTED_SKU = re.compile(rf"\*|({_ID}|\*):({_ID}|\*)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_REGION = re.compile(r"[a-z0-9]{2,40}")
_GUID_LENGTH = 36
_SHOWN = 60


def shown(value: object) -> str:
    """Return a value for a message: on one line, and cut to a line's length.

    The content of a list or table is not shown: it may hold a misplaced secret.
    """
    match value:
        case list():
            words = "a list"
        case dict():
            words = "a table"
        case date():
            words = str(value)
        case _:
            words = ascii(value)
    return words if len(words) <= _SHOWN else words[: _SHOWN - 1] + "…"


def text(value: object) -> str:
    """Accept text on one line."""
    if not isinstance(value, str):
        raise Wrong(f"must be text in quotes, got {shown(value)}")
    if not value.isprintable():
        raise Wrong("must be text without line breaks, control or undecodable characters")
    return value


def required_text(value: object) -> str:
    """Accept text that is not empty."""
    if not text(value):
        raise Wrong("must not be empty")
    return text(value)


def name(value: object) -> str:
    """Accept a short name that is safe in a file name and in a log line."""
    if not _NAME.fullmatch(text(value)):
        raise Wrong(f"must be 1 to 63 letters, digits, '.', '_' or '-', got {shown(value)}")
    return text(value)


def guid(value: object) -> str:
    """Accept a GUID in either case."""
    given = text(value)
    return _guid(given, shown(given))


def hidden_guid(value: object) -> str:
    """Accept a GUID, but never show it: users may paste a secret here by mistake."""
    return _guid(text(value), "(not shown)")


def _guid(given: str, as_shown: str) -> str:
    if not is_guid(given):
        is_short = len(given) != _GUID_LENGTH
        length = f" ({len(given)} of {_GUID_LENGTH} characters)" if is_short else ""
        raise Wrong(
            f"{as_shown} is not a GUID{length}",
            code=GUID,
            hint="a GUID looks like 0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f",
        )
    return given.lower()


def country(value: object) -> str:
    """Accept a two-letter country code in either case."""
    given = text(value)
    code = given.upper()
    if code not in known_places.COUNTRIES:
        near = known_places.MISTAKEN_COUNTRIES.get(code) or nearest(code, known_places.COUNTRIES)
        raise Wrong(
            f"{shown(given)} is not a country code",
            code=REGION,
            hint=f"did you mean `{near}`?" if near else 'two letters of ISO 3166, as in "DE"',
        )
    return code


def arm_region(value: object) -> str:
    """Accept the name of an Azure region, known or not."""
    given = text(value).lower()
    if not _REGION.fullmatch(given):
        raise Wrong(
            f"{shown(value)} is not the name of an Azure region",
            code=REGION,
            hint="as Azure Resource Manager writes it, `westeurope`",
        )
    return given


def product(value: object) -> str:
    """Accept a product id, or a SKU as PRODUCT:SKU. Case and leading zeros stay."""
    if not _PRODUCT.fullmatch(text(value)):
        raise Wrong(
            f"{shown(value)} is neither a product id nor PRODUCT:SKU",
            hint='as in "DZH318Z0BQ3Q" or "DZH318Z0BQ3Q:00E1"',
        )
    return text(value)


def muted_customer(value: object) -> str:
    """Accept a customer id, or `*`."""
    return "*" if value == "*" else guid(value)


def muted_sku(value: object) -> str:
    """Accept PRODUCT:SKU where `*` may stand for either part, or `*`."""
    if not _MUTED_SKU.fullmatch(text(value)):
        raise Wrong(f"must be PRODUCT:SKU, PRODUCT:* or *, got {shown(value)}")
    return text(value)


def muted_region(value: object) -> str:
    """Accept an Azure region, or `*`."""
    return "*" if value == "*" else arm_region(value)


def one_of(kinds: type[StrEnum]) -> Rule:
    """Accept the members of an enumeration, by value."""
    names = [kind.value for kind in kinds]

    def rule(value: object) -> StrEnum:
        given = text(value)
        if given not in names:
            near = nearest(given, names)
            raise Wrong(
                f"must be {' or '.join(names)}, got {shown(given)}",
                hint=f"did you mean `{near}`?" if near else "",
            )
        return kinds(given)

    return rule


def word(*known: str) -> Rule:
    """Accept one of a few words."""

    def rule(value: object) -> str:
        given = text(value)
        if given not in known:
            near = nearest(given, known)
            raise Wrong(
                f"must be {' or '.join(repr(each) for each in known)}, got {shown(given)}",
                hint=f"did you mean `{near}`?" if near else "",
            )
        return given

    return rule


def flag(value: object) -> bool:
    """Accept true or false."""
    if not isinstance(value, bool):
        raise Wrong(f"must be true or false, got {shown(value)}")
    return value


def whole(low: int, high: int) -> Rule:
    """Accept a whole number in a range, ends included."""

    def rule(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise Wrong(f"must be a whole number from {low} to {high}, got {shown(value)}")
        return value

    return rule


def number(low: float, high: float) -> Rule:
    """Accept a number in a range, ends included."""

    def rule(value: object) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:  # type: ignore[operator] # is_number says so
            raise Wrong(f"must be a number from {low:g} to {high:g}, got {shown(value)}")
        return float(value)  # type: ignore[arg-type] # likewise

    return rule


def day(value: object) -> date:
    """Accept a day, in quotes or not."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            raise Wrong(f"must be a day as 2027-01-31, got {shown(value)}") from None
    if not isinstance(value, date) or isinstance(value, datetime):
        raise Wrong(f"must be a day as 2027-01-31, got {shown(value)}")
    return value


def list_of(item: Rule, *, at_least: int = 0) -> Rule:
    """Accept a list whose items all follow a rule; duplicates count once."""

    def rule(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise Wrong(f"must be a list, got {shown(value)}", hint='as in ["one", "two"]')
        kept: dict[Any, None] = {}
        mistakes: list[Mistake] = []
        for index, each in enumerate(value):
            try:
                kept[item(each)] = None
            except Wrong as wrong:
                mistakes += [
                    Mistake(
                        code=mistake.code,
                        message=mistake.message,
                        hint=mistake.hint,
                        at=(index, *mistake.at),
                    )
                    for mistake in wrong.mistakes
                ]
        if mistakes:
            raise Wrong(mistakes=tuple(mistakes))
        if len(kept) < at_least:
            raise Wrong("must name at least one")
        return tuple(kept)

    return rule


def all_or(rule: Rule) -> Rule:
    """Accept "all", kept as None, or what another rule accepts."""

    def either(value: object) -> Any:
        if value == "all":
            return None
        if isinstance(value, str):
            raise Wrong(f'must be "all" or a list, got {shown(value)}')
        return rule(value)

    return either


def words(value: object) -> dict[str, str]:
    """Accept an inline table of text."""
    if not isinstance(value, dict):
        raise Wrong(f"must be a table, got {shown(value)}", hint='as in { Name = "value" }')
    for key, each in value.items():
        try:
            required_text(each)
        except Wrong as wrong:
            mistake = wrong.mistakes[0]
            raise Wrong(mistakes=(Mistake(message=mistake.message, at=(key,)),)) from None
    return dict(value)


def path(value: object) -> Path | None:
    """Accept a path; '' is no path. The loader makes it absolute."""
    given = text(value)
    return Path(given) if given else None


def required_path(value: object) -> Path:
    """Accept a path. The loader makes it absolute."""
    return Path(required_text(value))


def time_zone(value: object) -> str:
    """Accept a time zone that this machine knows."""
    import zoneinfo  # noqa: PLC0415 - only here, and --help must be quick

    given = required_text(value)
    try:
        zoneinfo.ZoneInfo(given)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise Wrong(
            f"{shown(given)} is not a time zone", hint="as in UTC or Europe/Berlin"
        ) from None
    return given


def optional(rule: Rule) -> Rule:
    """Accept '' for "not set", or what another rule accepts."""

    def either(value: object) -> Any:
        return "" if value == "" else rule(value)

    return either
