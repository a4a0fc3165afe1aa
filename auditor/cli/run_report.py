"""Writes the report of a run to stdout, and to the file that `--report` names."""

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from auditor.cli import commands
from auditor.cli.console import Console
from auditor.cli.problems import problems_of
from auditor.cli.shared_options import Format
from auditor.cli.stopping import Stopped, exit_status_of
from auditor.errors import AuditorError, UsageError, as_auditor_error, leaves
from auditor.settings import Narrow, Settings

if TYPE_CHECKING:  # they load Arrow; a signal that comes while they load is reported too
    from auditor.run.parts.run import PartOfRun
    from auditor.run.result import RunReport
    from auditor.run.run import Run

_STOPPED = "E_STOPPED"
_FLAG = "--report"

_PAGES = 5
"""The most customers whose pages follow the summary of a run for them."""


class RunReportWriter:
    """Writes the report of a run, however the run ends.

    The exit status in it is that of the process: if the file cannot be written, the object on
    stdout says so. The object on stdout is written once, by the first thread.
    """

    def __init__(
        self,
        command: commands.Run | commands.Publish,
        narrow: Narrow,
        settings: Settings,
        console: Console,
    ) -> None:
        self.run: Run | PartOfRun | None = None
        self._command = command
        self._narrow = narrow
        self._settings = settings
        self._console = console
        self._began = time.monotonic()
        self._path = command.report
        """None if no file is wanted, or if it cannot be written."""
        self._saving = threading.Lock()
        self._first = threading.Lock()
        """Taken by the thread that prints the JSON object, and never released."""

    def check(self) -> None:
        """Refuse a file that cannot be written, before anything is asked.

        Raises:
            UsageError: the object would be on stdout twice.
            StoreUnwritable: the folder of the file is missing, or cannot be written.
        """
        if self._path is None:
            return
        from auditor.report import output  # noqa: PLC0415 - only with --report

        try:
            if self._path == output.STDOUT and self._is_json:
                raise UsageError(
                    f"{_FLAG} -: --format json writes the same object to stdout",
                    hint=f"leave out {_FLAG} or --format json",
                )
            output.check(self._path, flag=_FLAG)
        except AuditorError:
            self._path = None
            raise

    @property
    def _is_json(self) -> bool:
        return self._command.format is Format.JSON

    def write(self, report: "RunReport") -> None:
        """Write the report in the requested formats; a signal does not cut off a JSON object.

        Raises:
            StoreUnwritable, StoreFailed: the file cannot be written; stdout has the report.
        """
        if not self._is_json:
            with suppress(BrokenPipeError):  # the reader is gone; the exit status still counts
                self._print_table(report)
        self._console.stopper.let_finish()
        with suppress(BrokenPipeError):
            self._console.stdout.flush()
        failure = self._save(report)
        if failure is not None:
            report = msgspec.structs.replace(report, exit=failure.exit_status)
        with suppress(BrokenPipeError):
            self._print_json(report)
        if failure is not None:
            raise failure

    def write_error(self, error: BaseException) -> None:
        """Write the JSON object of a run that ends with an error or a signal."""
        if not self._is_json and self._path is None:
            return
        self._console.stopper.let_finish()
        is_stopped = isinstance(error, (Stopped, KeyboardInterrupt))
        why = _STOPPED if is_stopped else as_auditor_error(next(leaves(error))).error_code
        report = self._so_far(exit_status_of(error), why)
        failure = self._save(report)  # it does not change how the run ended
        for problem in () if failure is None else problems_of(failure):
            self._console.events.error(*problem)
        with suppress(OSError):  # likewise
            self._print_json(report)

    def write_forced_exit(self, status: int) -> None:
        """Write the JSON object of a run that ends at once; before the run begins, write none.

        A pipe or a device is not written to: it could block, and the process must end.
        """
        if self.run is None:
            return
        report = self.run.so_far(status, _STOPPED)
        if self._path is not None and (self._path.is_file() or not self._path.exists()):
            self._save(report)
        with suppress(OSError):
            self._print_json(report)

    def _so_far(self, status: int, why: str) -> "RunReport":
        from auditor.run.result import RunReport  # noqa: PLC0415 - likewise
        from auditor.run.run import Run  # noqa: PLC0415 - heavy

        with suppress(AuditorError):  # a partner does not exist
            work = self.run or Run(self._settings, self._narrow)
            return work.so_far(status, why)
        seconds = round(time.monotonic() - self._began, 3)
        return RunReport(run_id="", exit=status, seconds=seconds, snapshots=())

    def _print_customers(self) -> None:
        """Print the page of each customer that the run was for, if a partner published it."""
        from auditor.questions.customer_page import customer_page  # noqa: PLC0415 - heavy
        from auditor.report import customer_page as page  # noqa: PLC0415 - likewise
        from auditor.store import open_store  # noqa: PLC0415 - likewise

        customers = self._narrow.customers
        if len(customers) > _PAGES:
            self._console.events.note("one customer on one page: auditor show X")
            return
        for name in customers:
            with suppress(UsageError):  # its partner failed, and no earlier run knew it
                store = open_store(self._settings.store)
                found = customer_page(store, name, self._console.now())
                page.write_terminal(found, self._console.stdout)

    def _print_table(self, report: "RunReport") -> None:
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
            self._print_customers()
        else:
            formats.write(report.table(), self._command.format.value, self._console.stdout)

    def _save(self, report: "RunReport") -> AuditorError | None:
        """Write the file, and return the error if that fails; it is not tried again then."""
        if self._path is None or not self._saving.acquire(blocking=False):
            return None
        from auditor.report import output  # noqa: PLC0415 - only with --report

        try:
            with suppress(BrokenPipeError):  # as on stdout
                output.save(_encoded(report), self._path, self._console.stdout, flag=_FLAG)
        except AuditorError as error:
            self._path = None
            return error
        finally:
            self._saving.release()
        return None

    def _print_json(self, report: "RunReport") -> None:
        if self._is_json and self._first.acquire(blocking=False):
            self._console.stdout.write(_encoded(report).decode())
            self._console.stdout.flush()


def _encoded(report: "RunReport") -> bytes:
    return msgspec.json.encode(report) + b"\n"
