"""`auditor run`: a report is written however the run ends; only then is the run finished."""

from typing import TYPE_CHECKING

from auditor.cli import commands
from auditor.cli.console import Console
from auditor.cli.problems import write_failures
from auditor.cli.run_metrics import RunMetrics
from auditor.cli.run_report import RunReportWriter
from auditor.cli.run_telemetry import RunTelemetry
from auditor.errors import AuditorError
from auditor.settings import Narrow, Settings

if TYPE_CHECKING:  # they load Arrow; a signal that comes while they load is reported too
    from auditor.run.parts.run import PartOfRun
    from auditor.run.result import RunReport
    from auditor.run.run import Run


def run(
    command: commands.Run | commands.Publish, narrow: Narrow, settings: Settings, console: Console
) -> int:
    """Run, or publish a divided run, and return the exit status.

    The JSON object and the metrics are written however the run ends.
    """
    writer = RunReportWriter(command, narrow, settings, console)
    metrics = RunMetrics(narrow, settings, console)
    telemetry = RunTelemetry(narrow, settings, console)
    console.stopper.before_forced_exit = writer.write_forced_exit
    try:
        writer.check()
        from auditor.run.parts.run import PartOfRun  # noqa: PLC0415 - heavy
        from auditor.run.run import Run  # noqa: PLC0415 - likewise
        from auditor.run.runtime import Runtime  # noqa: PLC0415 - likewise

        runtime = Runtime(environ=console.environ, now=console.now, hide=console.hide)
        kind = Run if narrow.part is None else PartOfRun
        with kind(settings, narrow, runtime=runtime) as work:
            writer.run = work
            report = _audited(work, console, telemetry)
            writer.write(report)
            work.finish()
    except BaseException as exc:
        writer.write_error(exc)
        metrics.export(writer.run, exc)
        telemetry.close(0, exc)
        raise
    metrics.export(writer.run)
    telemetry.close(report.exit)
    return report.exit


def _audited(work: "Run | PartOfRun", console: Console, telemetry: RunTelemetry) -> "RunReport":
    """Audit every partner, and write the errors of those that failed."""
    from auditor.report import progress_bar  # noqa: PLC0415 - heavy

    try:
        with progress_bar.following(console.events) as shown:
            report = console.stopper.wait(work.audit(telemetry.follow(shown, work)))
    except AuditorError as error:
        write_failures(console.events, work.failures, cause=error)
        raise
    write_failures(console.events, work.failures)
    return report
