"""Settings in the environment: AUDITOR_STORE, AUDITOR_SCOPE__AVAILABILITY, and so on."""

import difflib
import tomllib
from collections.abc import Collection, Iterator, Mapping

import msgspec

from auditor.settings.decode import tables
from auditor.settings.problems import Path, Wrong
from auditor.settings.rules import Rule

PREFIX = "AUDITOR_"
_OTHERS = ("AUDITOR_CONFIG", "AUDITOR_LOGIN_URL", "AUDITOR_SANDBOX_")
"""Variables of ours that are no settings: the file, the login URL and the sandbox's own."""

_ALIKE = 0.8
"""If two names are at least this similar, one counts as a typing error of the other."""


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A value from the environment or a flag, not from the file."""

    path: Path
    value: object
    origin: str
    """The variable or flag; a message shows it in place of file and line."""


def variables() -> dict[str, Path]:
    """Return the variables and the keys they set: all keys but those of `[[partner]]`."""
    known: dict[str, Path] = {}
    for table, fields in tables().items():
        if "partner" in table or len(table) > 1:
            continue
        for key, field in fields.items():
            path = (*table, key)
            is_one_value = field.table is None or field.is_list
            if is_one_value and key != "partner":
                known[PREFIX + "__".join(map(str, path)).upper()] = path
    return known


def given(environ: Mapping[str, str]) -> list[Given]:
    """Return the values that the environment sets."""
    return [
        Given(path=path, value=_value_of(environ[name], path), origin=name)
        for name, path in variables().items()
        if name in environ
    ]


def misspelled(environ: Mapping[str, str], secrets: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield variables that look like settings but are none, each with the most similar setting.

    `secrets` are variables that the configuration names. AUDITOR_ variables of other programs are
    ignored, such as AUDITOR_PORT, which Kubernetes sets for a service called auditor.
    """
    known = variables()
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in known or name in secrets:
            continue
        if name.startswith(_OTHERS):
            continue
        near = difflib.get_close_matches(name, known, n=1)
        alike = difflib.SequenceMatcher(
            None, name.removeprefix(PREFIX), near[0].removeprefix(PREFIX) if near else ""
        ).ratio()
        if "__" in name or alike >= _ALIKE:
            yield name, near[0] if near else ""


def _value_of(given: str, path: Path) -> object:
    """Return a variable's value: as TOML, or as plain text if the key accepts only that."""
    try:
        document = tomllib.loads(f"value = {given}")
    except (ValueError, RecursionError):
        return given
    if document.keys() != {"value"}:
        return given
    rule = tables()[path[:-1]][str(path[-1])].rule
    is_text_better = not _accepts(rule, document["value"]) and _accepts(rule, given)
    return given if is_text_better else document["value"]


def _accepts(rule: Rule | None, value: object) -> bool:
    if rule is None:
        return True
    try:
        rule(value)
    except Wrong:
        return False
    return True
