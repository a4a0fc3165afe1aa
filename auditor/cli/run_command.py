"""`auditor run`: a report is written however the run ends; only then is the run finished."""

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from auditor.cli import commands
from auditor.cli.console import Console
from auditor.cli.problems import write_failures
from auditor.cli.shared_options import Format
from auditor.cli.stopping import Stopped, exit_status_of
from auditor.errors import AuditorError, as_auditor_error, leaves
from auditor.settings import Settings

if TYPE_CHECKING:  # they load Arrow; a signal that comes while they load is reported too
    from auditor.run.result import RunReport
    from auditor.run.run import Run

_STOPPED = "E_STOPPED"


def run(command: commands.Run, settings: Settings, console: Console) -> int:
    """Run, and return the exit status. With --format json, write one object however it ends."""
    writer = _ReportWriter(command, settings, console)
    console.stopper.before_forced_exit = writer.write_forced_exit
    try:
        from auditor.report import progress_bar  # noqa: PLC0415 - heavy
        from auditor.run.run import Run  # noqa: PLC0415 - likewise
        from auditor.run.runtime import Runtime  # noqa: PLC0415 - likewise

        runtime = Runtime(environ=console.environ, now=console.now, hide=console.hide)
        with Run(settings, command.narrow, runtime=runtime) as work:
            writer.run = work
            with progress_bar.following(console.events) as shown:
                report = console.stopper.wait(work.audit(shown))
            write_failures(console.events, work.failures)
            with suppress(BrokenPipeError):  # the reader is gone; the exit status still counts
                writer.write(report)
            work.finish()
    except BaseException as exc:
        if isinstance(exc, AuditorError) and writer.run is not None:
            write_failures(console.events, writer.run.failures, cause=exc)
        writer.write_error(exc)
        raise
    return report.exit


class _ReportWriter:
    """Writes the report of a run. The JSON object is written once, by the first thread."""

    def __init__(self, command: commands.Run, settings: Settings, console: Console) -> None:
        self.run: Run | None = None
        self._command = command
        self._settings = settings
        self._console = console
        self._began = time.monotonic()
        self._first = threading.Lock()
        """Taken by the thread that writes the JSON object, and never released."""

    def write(self, report: "RunReport") -> None:
        """Write a report in the requested format; a signal does not cut it off."""
        if self._command.format is Format.JSON:
            self._console.stopper.let_finish()
            self._write_json(report)
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
        self._console.stopper.let_finish()
        self._console.stdout.flush()

    def write_error(self, error: BaseException) -> None:
        """Write the JSON object of a run that ends with an error or a signal."""
        if self._command.format is not Format.JSON:
            return
        self._console.stopper.let_finish()
        is_stopped = isinstance(error, (Stopped, KeyboardInterrupt))
        why = _STOPPED if is_stopped else as_auditor_error(next(leaves(error))).error_code
        with suppress(OSError):  # a failed write does not change how the run ended
            self._write_json(self._so_far(exit_status_of(error), why))

    def write_forced_exit(self, status: int) -> None:
        """Write the JSON object of a run that ends at once; before the run begins, write none."""
        if self._command.format is Format.JSON and self.run is not None:
            with suppress(OSError):
                self._write_json(self.run.so_far(status, _STOPPED))

    def _so_far(self, status: int, why: str) -> "RunReport":
        from auditor.run.result import RunReport  # noqa: PLC0415 - likewise
        from auditor.run.run import Run  # noqa: PLC0415 - heavy

        with suppress(AuditorError):  # a partner does not exist
            work = self.run or Run(self._settings, self._command.narrow)
            return work.so_far(status, why)
        seconds = round(time.monotonic() - self._began, 3)
        return RunReport(run_id="", exit=status, seconds=seconds, snapshots=())

    def _write_json(self, report: "RunReport") -> None:
        if self._first.acquire(blocking=False):
            self._console.stdout.write(msgspec.json.encode(report).decode() + "\n")
            self._console.stdout.flush()
