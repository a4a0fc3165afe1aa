"""Mistakes in the configuration, without the file and line where they stand."""

import difflib
from collections.abc import Iterable

import msgspec

Path = tuple[str | int, ...]
"""The path to a key: ("partner", 0, "limits", "concurrency")."""

SYNTAX = "E_CONFIG_SYNTAX"
KEY = "E_CONFIG_KEY"
VALUE = "E_CONFIG_VALUE"
GUID = "E_GUID"
REGION = "E_REGION"
INSECURE_URL = "E_INSECURE_URL"
SECRET_MISSING = "E_SECRET_MISSING"  # noqa: S105 - a code, not a secret
SECRET_MODE = "E_SECRET_MODE"  # noqa: S105 - a code, not a secret
IGNORED = "E_CONFIG_UNHEEDED"


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake; `at` is its path below the value that was checked."""

    code: str = VALUE
    message: str
    """The message without its first word, which is the key."""
    hint: str = ""
    at: Path = ()


class Wrong(Exception):
    """A rule refuses a value."""

    def __init__(
        self,
        message: str = "",
        *,
        code: str = VALUE,
        hint: str = "",
        mistakes: tuple[Mistake, ...] = (),
    ) -> None:
        super().__init__(message)
        self.mistakes = mistakes or (Mistake(code=code, message=message, hint=hint),)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word closest to `word`, or ''."""
    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else ""


def dotted(path: Path) -> str:
    """Return a path as people write it: `partner[0].limits.concurrency`."""
    words = ""
    for step in path:
        match step:
            case int():
                words += f"[{step}]"
            case str():
                key = step if step.isprintable() else ascii(step)
                words += f".{key}" if words else key
    return words
