"""Sends the traces and lineage events of a run, if the environment asks for them."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from auditor.cli.console import Console
from auditor.cli.stopping import Stopped, exit_status_of
from auditor.errors import as_auditor_error, leaves
from auditor.metrics.switches import wants_lineage, wants_traces
from auditor.progress import Progress
from auditor.settings import Narrow, Settings, partners_for

if TYPE_CHECKING:  # they load Arrow, or are not installed
    from auditor.metrics.lineage import Lineage
    from auditor.metrics.traces import Spans
    from auditor.run.parts.run import PartOfRun
    from auditor.run.run import Run

_TRACES = "E_TRACES"
_LINEAGE = "E_LINEAGE"


class RunTelemetry:
    """Follows the progress of one run. It never fails a run; a failure is a warning."""

    def __init__(self, narrow: Narrow, settings: Settings, console: Console) -> None:
        self._narrow = narrow
        self._settings = settings
        self._console = console
        self._sending = ExitStack()
        self._spans: Spans | None = None
        self._lineage: Lineage | None = None

    def follow(self, progress: Progress, run: "Run | PartOfRun") -> Progress:
        """Return the progress that the run reports to; what it reports is passed on."""
        environ = self._console.environ
        if wants_traces(environ):
            progress = self._tried(_TRACES, "otel", progress, self._traced)
        if wants_lineage(environ) and self._narrow.part is None:  # a part publishes nothing
            progress = self._tried(
                _LINEAGE, "lineage", progress, lambda passed_on: self._with_lineage(passed_on, run)
            )
        return progress

    def close(self, exit_status: int, error: BaseException | None = None) -> None:
        """End what is open, and wait a short time until it is sent."""
        if self._spans is None and self._lineage is None:
            return
        self._console.stopper.let_finish()
        is_stopped = isinstance(error, (Stopped, KeyboardInterrupt))
        code = ""
        if error is not None:
            code = "E_STOPPED" if is_stopped else as_auditor_error(next(leaves(error))).error_code
            exit_status = exit_status_of(error)
        try:
            if self._lineage is not None:
                self._lineage.close(code, is_stopped=is_stopped)
            if self._spans is not None:
                self._spans.close(exit_status, code)
            self._sending.close()
        except Exception as failure:  # noqa: BLE001 - a run must not fail because of its telemetry
            self._console.events.warning(
                _TRACES,
                f"traces or lineage events were not sent: {type(failure).__name__}",
                "please report this",
            )

    def _tried(
        self, code: str, extra: str, progress: Progress, follow: Callable[[Progress], Progress]
    ) -> Progress:
        """Return what `follow` makes of the progress, or the progress itself if that fails."""
        try:
            return follow(progress)
        except ImportError:
            self._console.events.warning(
                code,
                f"{extra}: the environment asks for it, but a package is missing",
                f"pip install 'csp-sku-auditor[{extra}]'",
            )
        except Exception as failure:  # noqa: BLE001 - a run must not fail because of its telemetry
            self._console.events.warning(
                code, f"{extra}: {type(failure).__name__}", "look at its environment variables"
            )
        return progress

    def _traced(self, progress: Progress) -> Progress:
        from auditor.metrics import traces  # noqa: PLC0415 - an extra

        environ, warn = self._console.environ, self._console.events.warning
        tracer = self._sending.enter_context(traces.tracer(environ, warn))
        self._spans = traces.Spans(progress, tracer, environ)
        return self._spans

    def _with_lineage(self, progress: Progress, run: "Run | PartOfRun") -> Progress:
        from auditor.metrics import lineage  # noqa: PLC0415 - an extra

        emitter = self._sending.enter_context(lineage.emitter(self._console.events.warning))
        self._lineage = lineage.Lineage(
            progress,
            self._settings,
            partners_for(self._settings, self._narrow),
            send=emitter.send,
            report=lambda: run.so_far(0, ""),
            now=self._console.now,
            namespace=self._console.environ.get("OPENLINEAGE_NAMESPACE", "") or "auditor",
            is_full=self._narrow.is_full,
        )
        return self._lineage
