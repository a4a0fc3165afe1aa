"""Read one word of the command line. ArgumentTypeError becomes an error message of argparse."""

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path

from auditor.customer_names import as_id
from auditor.journal.runs import NAME_HINT, is_name
from auditor.settings.problems import nearest
from auditor.settings.values import Part

_SNAPSHOT = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_SKU = re.compile(r"[A-Za-z0-9]{1,64}:[A-Za-z0-9]{1,64}")
_PRODUCT_OR_SKU = re.compile(r"[A-Za-z0-9]{1,64}(:[A-Za-z0-9]{1,64})?")
_TERM = re.compile(r"[Pp][0-9]{1,2}[MmYy]")
_LONGEST = 256


def text(word: str) -> str:
    if not word.strip() or not word.isprintable() or len(word) > _LONGEST:
        raise ArgumentTypeError(f"{word[:60]!a} is not a name or an id")
    return word


def text_or_nothing(word: str) -> str:
    return text(word) if word else word


def run_id(word: str) -> str:
    if not is_name(word):
        raise ArgumentTypeError(f"{word[:60]!a} is not the id of a run: {NAME_HINT}")
    return word


def path(word: str) -> Path:
    if not word or "\0" in word:
        raise ArgumentTypeError("a path is empty or has a null character")
    return Path(word)


def url(word: str) -> str:
    """Accept a path or URL; an error does not show it, because it may hold a key."""
    if not word.strip() or not word.isprintable():
        raise ArgumentTypeError("a path or URL is empty or has control characters")
    return word


def customer(word: str) -> str:
    return as_id(text(word)) or word


def country(word: str) -> str:
    return text(word).upper()


def region(word: str) -> str:
    return text(word).lower()


def subscription(word: str) -> str:
    if not (found := as_id(text(word))):
        raise ArgumentTypeError(f"{word[:60]!a} is not the id of an Azure subscription")
    return found


def sku(word: str) -> str:
    """Return a SKU as the catalog writes it: `DZH318Z0BQ3Q:0011`."""
    if not _SKU.fullmatch(word):
        raise ArgumentTypeError(f"{word[:60]!a} is not a SKU, as in DZH318Z0BQ3Q:0011")
    return word.upper()


def since(word: str) -> timedelta | date:
    """Return a length of time in hours or days, or a date: `7d`, `2026-11-22`."""
    with suppress(ValueError):
        return date.fromisoformat(word)
    try:
        return age(word)
    except ArgumentTypeError:
        raise ArgumentTypeError(
            f"{word[:60]!a} is not an age or a date, as in 26h, 7d or 2026-11-22"
        ) from None


def snapshot(word: str) -> str:
    if not _SNAPSHOT.fullmatch(word):
        raise ArgumentTypeError(f"{word[:60]!a} is not the id of a snapshot")
    return word


def excel_path(word: str) -> Path:
    """Accept `-`, a device, an existing pipe, or a name that ends in .xlsx, as Excel requires."""
    given = path(word)
    is_stream = word == "-" or word.startswith("/dev/") or given.is_fifo()
    if not is_stream and given.suffix.lower() != ".xlsx":
        raise ArgumentTypeError(f"{word[:60]!a} must end in .xlsx")
    return given


def product_or_sku(word: str) -> str:
    """Accept PRODUCT:SKU, or PRODUCT for all its SKUs."""
    if not _PRODUCT_OR_SKU.fullmatch(word):
        raise ArgumentTypeError(
            f"{word[:60]!a} is not a SKU, as in DZH318Z0BQ3Q:0011, nor a product; a size of"
            " virtual machine is given with --size"
        )
    return word


def term(word: str) -> str:
    if not _TERM.fullmatch(word):
        raise ArgumentTypeError(f"{word[:60]!a} is not a term, as in P1M, P1Y or P3Y")
    return word.upper()


def days(word: str) -> int:
    found = re.fullmatch(r"([0-9]{1,5})d", word)
    if found is None:
        raise ArgumentTypeError(f"{word[:60]!a} is not a number of days, as in 90d")
    return int(found[1])


def age(word: str) -> timedelta:
    """Return a length of time in hours or days: `26h`, `2d`."""
    found = re.fullmatch(r"([0-9]{1,5})([hd])", word)
    if found is None:
        raise ArgumentTypeError(f"{word[:60]!a} is not an age in hours or days, as in 26h or 2d")
    return timedelta(hours=int(found[1]) * (24 if found[2] == "d" else 1))


def duration(word: str) -> timedelta:
    """Return a length of time in seconds, minutes or hours: `90s`, `30m`, `2h`."""
    found = re.fullmatch(r"([0-9]{1,6})([smh])", word)
    if found is None:
        raise ArgumentTypeError(f"{word[:60]!a} is not a duration, as in 90s, 30m or 2h")
    return timedelta(seconds=int(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]])


def part(word: str) -> Part:
    """Return one part of a divided run: `1/4` is the first of four."""
    found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", word)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ArgumentTypeError(f"{word[:60]!a} is not a part of a run, as in 1/4 or 4/4")
    return Part(int(found[1]), int(found[2]))


def whole(low: int, high: int) -> Callable[[str], int]:
    def read(word: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", word) or not low <= int(word) <= high:
            raise ArgumentTypeError(f"{word[:60]!a} is not a whole number from {low} to {high}")
        return int(word)

    return read


def member(kinds: type[StrEnum]) -> Callable[[str], StrEnum]:
    names = [kind.value for kind in kinds]

    def read(word: str) -> StrEnum:
        if word not in names:
            near = nearest(word, names)
            known = f"did you mean {near}?" if near else f"known: {', '.join(names)}"
            raise ArgumentTypeError(f"{word[:60]!a} is not known; {known}")
        return kinds(word)

    return read
