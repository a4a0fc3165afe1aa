"""Traces in OpenTelemetry: one span for a run, each of its partners, and each of their stages."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from auditor.metrics.bounded import within
from auditor.metrics.complaints import complaints_of
from auditor.progress import Progress
from auditor.version import __version__

CODE = "E_TRACES"
FLUSH_S = 3.0
"""The longest time that the last spans may take, at the end of a run."""
_NAME = "auditor"

Warn = Callable[[str, str, str], None]
"""Writes a code, a message and a hint."""


class Spans:
    """Makes spans of a run's progress, and passes it on. Spans hold no customer and no secret."""

    def __init__(
        self, progress: Progress, tracer: Tracer, environ: Mapping[str, str] | None = None
    ) -> None:
        """`environ` may hold the TRACEPARENT of the scheduler that started the run."""
        carrier = {"traceparent": (environ or {}).get("TRACEPARENT", "")}
        parent = TraceContextTextMapPropagator().extract(carrier)
        self._progress = progress
        self._tracer = tracer
        self._run = tracer.start_span("run", parent)
        self._partners: dict[str, Span] = {}
        self._stages: dict[str, Span] = {}
        self._failed: dict[str, int] = {}

    def event(self, name: str, **fields: object) -> None:
        """Pass an event on. If it begins or ends something, note that in the spans."""
        self._progress.event(name, **fields)
        partner = str(fields.get("partner", ""))
        match name:
            case "run.started" | "part.started" | "run.finished_before":
                self._run.set_attribute("auditor.run_id", str(fields["run"]))
            case "snapshot.published" | "snapshot.published_before":
                span = self._partner(partner)
                span.set_attribute("auditor.snapshot_id", str(fields["snapshot"]))
                span.set_attribute("auditor.snapshot_status", str(fields["status"]))
                span.set_attribute("auditor.changes", int(str(fields["changes"])))
                self._end(partner)
            case "partner.not_published" | "part.failed":
                _fail(self._partner(partner), str(fields["code"]))
                self._end(partner)
            case "partner.failed":  # its snapshot may be published all the same
                _fail(self._partner(partner), str(fields["code"]))
            case _:
                pass

    def phase(self, partner: str, name: str, total: int | None = None) -> None:
        """Pass a phase on: it ends the partner's last stage, and begins the next."""
        self._progress.phase(partner, name, total)
        self._end_stage(partner)
        context = trace.set_span_in_context(self._partner(partner))
        stage = self._tracer.start_span(name, context, attributes={"auditor.partner": partner})
        if total is not None:
            stage.set_attribute("auditor.total", total)
        self._stages[partner] = stage

    def step(self, partner: str, done: int = 1, failed: int = 0) -> None:
        """Pass a step on, and count its failures."""
        self._progress.step(partner, done, failed)
        self._failed[partner] = self._failed.get(partner, 0) + failed

    def close(self, exit_status: int, code: str = "") -> None:
        """End the run's span, and those of partners whose end was not reported."""
        for partner in list(self._partners):
            _fail(self._partners[partner], code)
            self._end(partner)
        self._run.set_attribute("auditor.exit", exit_status)
        _fail(self._run, code)
        self._run.end()

    def _partner(self, partner: str) -> Span:
        if partner not in self._partners:
            context = trace.set_span_in_context(self._run)
            attributes = {"auditor.partner": partner}
            self._partners[partner] = self._tracer.start_span(
                "partner", context, attributes=attributes
            )
        return self._partners[partner]

    def _end(self, partner: str) -> None:
        self._end_stage(partner)
        self._partners.pop(partner).end()

    def _end_stage(self, partner: str) -> None:
        failed = self._failed.pop(partner, 0)
        stage = self._stages.pop(partner, None)
        if stage is not None:
            stage.set_attribute("auditor.failed", failed)
            stage.end()


def _fail(span: Span, code: str) -> None:
    if code:
        span.set_attribute("error.type", code)
        span.set_status(StatusCode.ERROR, code)


class _Exporter(SpanExporter):
    """Sends spans as OTEL_EXPORTER_OTLP_… say, and counts those that were not accepted."""

    def __init__(self) -> None:
        self._sending = OTLPSpanExporter()
        self.lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._sending.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self.lost += len(spans)
        return result

    def shutdown(self) -> None:
        self._sending.shutdown()  # type: ignore[no-untyped-call] # it has no annotations


@contextmanager
def tracer(environ: Mapping[str, str], warn: Warn, flush_s: float = FLUSH_S) -> Iterator[Tracer]:
    """Yield a tracer whose spans are sent in the background; wait a short time for the last ones.

    What cannot be sent is one warning.
    """
    named = {SERVICE_VERSION: __version__}
    if not environ.get("OTEL_SERVICE_NAME"):
        named[SERVICE_NAME] = _NAME
    with complaints_of("opentelemetry") as complaints:
        exporter = _Exporter()
        provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        try:
            yield provider.get_tracer(_NAME, __version__)
        finally:
            late = ""
            try:
                within(flush_s, provider.shutdown)
            except TimeoutError as error:
                late = str(error)
            if late or exporter.lost:
                why = complaints.first or late
                warn(CODE, f"traces: spans were not sent: {why}", "the run itself is not affected")
