"""`auditor run`: writes the report however the run ends; only then is the run finished."""

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from auditor.cli.commands import Run as Asked
from auditor.cli.console import Console
from auditor.cli.shared_options import Format
from auditor.cli.stopping import Stopped, exit_status_of
from auditor.errors import AuditorError, as_auditor_error, leaves
from auditor.settings import Settings

if TYPE_CHECKING:  # they load Arrow: a signal that comes meanwhile is to be told too
    from auditor.run.result import RunReport
    from auditor.run.run import Run

_STOPPED = "E_STOPPED"


def run(command: Asked, settings: Settings, console: Console) -> int:
    """Run and return the exit status; with --format json one object is written however it ends."""
    telling = _Telling(command, settings, console)
    console.stopper.last_words = telling.last_words
    try:
        from auditor.report import progress_bar  # noqa: PLC0415 - heavy
        from auditor.run.run import Run, Runtime  # noqa: PLC0415 - likewise

        runtime = Runtime(environ=console.environ, now=console.now, hide=console.hide)
        with Run(settings, command.narrow, runtime=runtime) as work:
            telling.work = work
            with progress_bar.following(console.events) as shown:
                report = console.stopper.wait(work.audit(shown))
            with suppress(BrokenPipeError):  # nobody reads on; how it went is still worth a status
                telling.tell(report)
            work.finish()
    except BaseException as exc:
        telling.end(exc)
        raise
    return report.exit


class _Telling:
    """Writes the report of a run, once."""

    def __init__(self, command: Asked, settings: Settings, console: Console) -> None:
        self.work: Run | None = None
        self._command = command
        self._settings = settings
        self._console = console
        self._began = time.monotonic()
        self._first = threading.Lock()
        """Taken for good by the one who writes the object."""

    def tell(self, report: "RunReport") -> None:
        """Write a report in the form that was asked for; a signal does not cut what is written."""
        if self._command.format is Format.JSON:
            self._console.stopper.let_end()
            self._object(report)
            return
        from auditor.report import formats, terminal  # noqa: PLC0415 - heavy

        published = [one.snapshot_id for one in report.snapshots if one.published]
        if self._command.format is Format.TABLE and published:
            terminal.write_run_summary(
                self._settings.store,
                published,
                {one.partner: one.reason for one in report.snapshots if not one.published},
                self._command.config,
                self._console.stdout,
            )
        else:
            formats.write(report.table(), self._command.format.value, self._console.stdout)
        self._console.stopper.let_end()
        self._console.stdout.flush()

    def end(self, error: BaseException) -> None:
        """Write the object of a run that ends with an error or a signal."""
        if self._command.format is not Format.JSON:
            return
        self._console.stopper.let_end()
        is_stopped = isinstance(error, (Stopped, KeyboardInterrupt))
        why = _STOPPED if is_stopped else as_auditor_error(next(leaves(error))).error_code
        with suppress(OSError):  # that nobody can read it changes nothing about how the run ended
            self._object(self._so_far(exit_status_of(error), why))

    def last_words(self, status: int) -> None:
        """Write the object of a run that ends at once; one that has not begun has none."""
        if self._command.format is Format.JSON and self.work is not None:
            with suppress(OSError):
                self._object(self.work.so_far(status, _STOPPED))

    def _so_far(self, status: int, why: str) -> "RunReport":
        from auditor.run.result import RunReport  # noqa: PLC0415 - likewise
        from auditor.run.run import Run  # noqa: PLC0415 - heavy

        with suppress(AuditorError):  # of a partner that is not there
            work = self.work or Run(self._settings, self._command.narrow)
            return work.so_far(status, why)
        seconds = round(time.monotonic() - self._began, 3)
        return RunReport(run_id="", exit=status, seconds=seconds, snapshots=())

    def _object(self, report: "RunReport") -> None:
        if self._first.acquire(blocking=False):
            self._console.stdout.write(msgspec.json.encode(report).decode() + "\n")
            self._console.stdout.flush()
