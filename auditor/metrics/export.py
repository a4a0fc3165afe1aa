"""Exports the metrics of a run, however it ended: into a text file, and to a Pushgateway.

Nothing here ends or delays a run: a failure is one warning, and sending has a time limit.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TextIO

import msgspec

from auditor.errors import AuditorError
from auditor.journal.attempts import Attempt
from auditor.metrics import exposition, figures
from auditor.metrics.bounded import within
from auditor.metrics.figures import Figures
from auditor.metrics.pushgateway import Pushgateway
from auditor.report import output
from auditor.settings import Partner, Settings
from auditor.store import open_store
from auditor.store.folder.lock import publish_lock

PUSH_S = 6.0
"""The longest time that pushing may take: a signal must end a run within fifteen seconds."""
_LOCK_S = 2.0
_MODE = 0o644
"""The mode of a new file: the node exporter, another user, must read it whatever our umask is."""
_SETTING = "[metrics] textfile"
_CODE = "E_METRICS"

Warn = Callable[[str, str, str], None]
"""Writes a code, a message and a hint."""


class RunEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended."""

    partners: tuple[Partner, ...]
    """The partners that it was about."""
    attempts: tuple[Attempt, ...]
    now: datetime
    is_stopped: bool
    """Whether a signal ended it: there is no time to read the store then."""


def export(
    settings: Settings, end: RunEnd, *, stdout: TextIO, warn: Warn, push_s: float = PUSH_S
) -> None:
    """Write and push the metrics that `[metrics]` asks for; a failure is a warning."""
    path, url = settings.metrics.textfile, settings.metrics.pushgateway
    if path is None and not url:
        return
    try:
        with _alone(settings.state_dir):
            found, is_whole = _figures(settings, end)
            if path is not None:
                with _warned(warn, f"{_SETTING} was not written", "the run itself is not affected"):
                    _write(exposition.text(found), path, stdout)
    except Exception as error:  # noqa: BLE001 - a run must not fail because of its metrics
        warn(_CODE, f"there are no new metrics: {_reason(error)}", "please report this")
        return
    if not url:
        return
    names = {partner.name for partner in end.partners}
    mine = {name: values for name, values in found.items() if name in names}
    if not is_whole:
        mine = {name: figures.attempt_alone(values) for name, values in mine.items()}
    with _warned(warn, "[metrics] pushgateway was not updated", "the next run pushes again"):
        gateway = Pushgateway(url, ca_file=settings.network.ca_file)
        within(push_s, lambda: gateway.push(mine, is_whole=is_whole))


def _figures(settings: Settings, end: RunEnd) -> tuple[dict[str, Figures], bool]:
    """Return the values of each configured partner by name, and whether the store gave them."""
    earlier = _earlier(settings.metrics.textfile)
    stored = None if end.is_stopped else _stored(settings)
    found: dict[str, Figures] = {}
    for partner in settings.partner:
        before = earlier.get(partner.name, {})
        published = (stored or {}).get(partner.tenant_id) or before or figures.NEVER
        mine = _own(end.attempts, partner)
        attempts = [figures.attempt_alone(before), *mine]
        found[partner.name] = figures.merged(published, attempts, end.now)
    return found, stored is not None


def _own(attempts: Iterable[Attempt], partner: Partner) -> Iterator[Figures]:
    for each in attempts:
        if each.partner_tenant_id == partner.tenant_id and each.kind == "full":
            yield figures.of_attempt(each)


def _stored(settings: Settings) -> dict[str, Figures] | None:
    """Return the values of each partner by tenant; None if the store cannot be read."""
    with suppress(AuditorError):  # the run itself says what is wrong
        return figures.of_store(open_store(settings.store))
    return None


def _earlier(path: Path | None) -> dict[str, Figures]:
    """Return the values of the last export; none if there is no file, or another program's."""
    if path is None or not path.is_file():
        return {}
    with suppress(OSError, ValueError):
        return exposition.read(path.read_text("utf-8"))
    return {}


def _write(exposed: bytes, path: Path, stdout: TextIO) -> None:
    is_new = not path.exists()
    output.save(exposed, path, stdout, flag=_SETTING)
    if is_new:
        path.chmod(_MODE)


@contextmanager
def _alone(state_dir: Path) -> Iterator[None]:
    """Keep other processes from exporting an older state after this one; do not wait for long."""
    with ExitStack() as held:
        with suppress(AuditorError):
            held.enter_context(publish_lock(state_dir / "metrics.lock", _LOCK_S))
        yield


@contextmanager
def _warned(warn: Warn, what: str, hint: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - as above
        warn(_CODE, f"{what}: {_reason(error)}", hint)


def _reason(error: Exception) -> str:
    match error:
        case AuditorError():
            return error.message
        case OSError() | TimeoutError():
            return str(error)
        case _:
            return type(error).__name__
