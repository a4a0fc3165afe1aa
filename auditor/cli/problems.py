"""The lines that an error becomes: code, message and hint of each problem in it."""

from collections.abc import Iterable

from auditor.errors import AuditorError, SettingsError, as_auditor_error, leaves
from auditor.log import Events

_HINTS = {
    "E_UNREACHABLE": "check the network, [network] and base_url; then `auditor run --resume`",
    "E_THROTTLED": "wait, or lower [partner.limits]; then `auditor run --resume`",
    "E_DEADLINE": "allow more time; then `auditor run --resume`",
    "E_AUTH": "check the partner's credentials and whether they have expired",
    "E_FORBIDDEN": "check the app's consent and the partner's roles",
    "E_LOCKED": "wait until the other process has finished",
    "E_CONFIG_VALUE": "every key is explained in the file that `auditor init` writes",
}
"""By error code: hints for errors that have none of their own."""

_HINT = "--debug shows where this comes from"

Problem = tuple[str, str, str]


def problems_of(error: BaseException) -> tuple[Problem, ...]:
    """Return code, message and hint of each problem in an error, each once."""
    found: dict[Problem, None] = {}
    for leaf in leaves(error):
        ours = as_auditor_error(leaf)
        itself = ((ours.error_code, ours.message, ours.hint),)
        for code, message, hint in ours.problems if isinstance(ours, SettingsError) else itself:
            found[code, message, hint or _HINTS.get(code, _HINT)] = None
    return tuple(found)


def write_failures(
    events: Events,
    failures: Iterable[tuple[str, AuditorError]],
    *,
    cause: BaseException | None = None,
) -> None:
    """Write the errors of each failed partner, but not those that `cause` also has."""
    told = set() if cause is None else {problem[:2] for problem in problems_of(cause)}
    for partner, error in failures:
        for code, message, hint in problems_of(error):
            if (code, message) not in told:
                told.add((code, message))
                is_named = partner in message
                events.error(code, message if is_named else f"partner {partner}: {message}", hint)
