"""The identity of a run: a run can be resumed only with settings of the same identity.

An identity is plain JSON, so that a journal can keep it for a later comparison.
"""

from collections.abc import Mapping
from typing import Any

# Plain JSON: its values are only compared and written, never used.
Plain = dict[str, Any]

_NOT_IDENTITY = frozenset(
    ["state_dir", "cache", "network", "metrics", "notify", "mute", "folder", "warnings"]
)
"""Settings that decide how answers are fetched, kept or reported, not which checks are asked."""

_NOT_IDENTITY_IN_RUN = frozenset(["keep_raw", "lease_seconds", "resume_max_age_hours"])
_NOT_IDENTITY_IN_PARTNER = frozenset(["client_secret", "certificate", "refresh_token", "token"])


def identity(settings: Plain) -> Plain:
    """Return dotted keys and values; lists are sorted, because their order changes no check."""
    kept = {key: value for key, value in settings.items() if key not in _NOT_IDENTITY}
    kept["run"] = _without(kept["run"], _NOT_IDENTITY_IN_RUN)
    kept["scope"] = described(kept["scope"])
    kept["partner"] = {
        each["name"]: _without(each, _NOT_IDENTITY_IN_PARTNER)
        | {"limits": _without(each["limits"], frozenset(["shared"]))}
        for each in kept["partner"]
    }
    return dict(sorted(_flat(kept, "").items()))


def difference(ours: Mapping[str, object], theirs: Mapping[str, object]) -> tuple[str, ...]:
    """Return the keys whose values differ, and the keys that only one identity has."""
    absent = object()
    keys = sorted({*ours, *theirs})
    return tuple(key for key in keys if ours.get(key, absent) != theirs.get(key, absent))


def described(scope: Plain) -> Plain:
    """Return `[scope]` as in the file: "all" in place of None."""
    return {key: "all" if value is None else value for key, value in scope.items()}


def _without(table: Plain, keys: frozenset[str]) -> Plain:
    return {key: value for key, value in table.items() if key not in keys}


def _flat(table: Plain, prefix: str) -> Plain:
    flat: Plain = {}
    for key, value in table.items():
        match value:
            case dict():
                flat |= _flat(value, f"{prefix}{key}.")
            case list():
                flat[prefix + key] = sorted(value)
            case _:
                flat[prefix + key] = value
    return flat
