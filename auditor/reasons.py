"""Says in plain words what a reason means, and what the reader can do about it.

The words are in `sql/reasons.toml`; the view `dim_reason` gives the same ones to other tools.
"""

from enum import StrEnum
from functools import cache

import msgspec

from auditor.store import sql

_EVERY_OTHER = "*"
_STATUS = "http_"


class ReasonKind(StrEnum):
    """What a reason is the reason of: a restriction, or an outcome of a check."""

    RESTRICTION = "restriction"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_ELIGIBLE = "not_eligible"


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """What one reason means."""

    reason: str
    """The reason as our files spell it; if they do not have it, as it came."""
    kind: ReasonKind
    sentence: str
    """What it means, in plain words."""
    next_step: str
    """What the reader can do."""
    is_known: bool
    """False if the words are those of every other reason of its kind."""


@cache
def _meanings() -> dict[str, Meaning]:
    """Return every known reason, by its text in lower case; `*` is kept apart by its kind."""
    return {
        reason.lower() if reason != _EVERY_OTHER else f"{_EVERY_OTHER}{kind}": Meaning(
            reason=reason,
            kind=ReasonKind(kind),
            sentence=sentence,
            next_step=next_step,
            is_known=reason != _EVERY_OTHER,
        )
        for kind, reason, sentence, next_step in sql.toml_rows("reasons")
    }


def known() -> tuple[Meaning, ...]:
    """Return the meaning of each reason that has words of its own."""
    return tuple(each for each in _meanings().values() if each.is_known)


def meaning(reason: str, kind: str = ReasonKind.RESTRICTION) -> Meaning:
    """Return what a reason means, in whatever letter case.

    The reason is one code of a restriction, or the reason of a check, with or without the name of
    the listing that failed. `kind` only matters for a reason without words of its own: what to call
    it.

    Raises:
        ValueError: there is no such kind.
    """
    of_kind = ReasonKind(kind)
    cause = reason.rpartition(": ")[2]
    for text in (reason, cause):
        found = _meanings().get(text.lower())
        if found is not None:
            return found
    if of_kind is ReasonKind.RESTRICTION:
        cause = reason
    others = _EVERY_OTHER + of_kind
    if of_kind is ReasonKind.FAILED and cause.lower().startswith((f"{_STATUS}4", f"{_STATUS}5")):
        others = f"{_STATUS}{cause[len(_STATUS)]}xx"
    return msgspec.structs.replace(_meanings()[others], reason=cause)


def sentence(reason: str, kind: str = ReasonKind.RESTRICTION) -> str:
    """Return what a reason means, in one or two plain sentences: see `meaning`."""
    return meaning(reason, kind).sentence


def next_step(reason: str, kind: str = ReasonKind.RESTRICTION) -> str:
    """Return what the reader can do about a reason: see `meaning`."""
    return meaning(reason, kind).next_step
