"""What a cell says to people: names of SKUs, terms, verdicts, times."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]  # a row of a relation or of an answer
_TERM = re.compile(r"P([0-9]{1,3})([MY])")
_UNITS = {"M": "month", "Y": "year"}
_VERDICTS = {
    "unrestricted": "can be bought",
    "purchasable": "can be bought",
    "restricted": "restricted",
    "not_purchasable": "cannot be bought",
    "not_in_catalog": "not in the catalog",
    "unknown": "not known",
}


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 customer`, `2 customers`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def term(duration: str) -> str:
    """Return a duration in words: `P3Y` is `3 years`."""
    found = _TERM.fullmatch(duration)
    return count(int(found[1]), _UNITS[found[2]]) if found else duration


def sku(row: Row) -> str:
    """Return a SKU with the size or title first: `Standard_D4s_v3 · 3 years`.

    A SKU without a name has its ids.
    """
    names = [str(row.get(name) or "") for name in ("arm_sku_name", "sku_title", "product_title")]
    ids = ":".join(filter(None, (row.get("product_id", ""), row.get("sku_id", ""))))
    named = next((name for name in names if name), ids)
    return " · ".join(filter(None, (named, term(row.get("term_duration") or ""))))


def verdict(row: Row) -> str:
    """Return what is known of a key: the verdict in words, and whether it is stale."""
    known = _VERDICTS[row["verdict"]]
    return f"{known} (stale: {age(row)})" if row.get("is_stale") else known


def age(row: Row) -> str:
    """Return how old an answer is at the newest publication: `3 days old`."""
    hours = row.get("answer_age_hours")
    if hours is None:
        return "no answer since " + day(row.get("checked_at"))
    return f"{count(round(hours / 24), 'day')} old" if hours >= 48 else f"{hours:.0f} hours old"  # noqa: PLR2004 - two days


def day(at: datetime | None) -> str:
    """Return a day in UTC."""
    return "" if at is None else f"{at:%Y-%m-%d}"


def minute(at: datetime | None) -> str:
    """Return a minute in UTC."""
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"
