"""Spans of a run: one for it, for each partner and each stage, sent over OTLP."""

from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from auditor.metrics.switches import wants_traces
from auditor.metrics.traces import Spans, tracer
from auditor.progress import Silent
from tests.builders.monitoring_server import MonitoringServer, monitoring_server

SNAPSHOT = {"snapshot": "s1", "status": "complete", "changes": 3}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Memory:
    """Spans that are kept in memory."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("test")

    def spans(self) -> dict[str, ReadableSpan]:
        """Return the finished spans by name, with the partner's where there are several."""
        found = {}
        for span in self._exporter.get_finished_spans():
            partner = (span.attributes or {}).get("auditor.partner", "")
            found[f"{span.name} {partner}".strip()] = span
        return found


def run(spans: Spans) -> None:
    """Report a run of two partners: one is published, the other one is refused."""
    spans.event("run.started", run="r1", partners=2)
    for partner in ("contoso", "fabrikam"):
        spans.phase(partner, "discovering")
    spans.event("item.set_apart", partner="contoso", customer_id="a customer", names="Secret Inc")
    spans.event("partner.not_published", partner="fabrikam", code="E_AUTH", reason="a body")
    spans.phase("contoso", "checking", 7)
    spans.step("contoso", 6)
    spans.step("contoso", 1, failed=1)
    spans.phase("contoso", "publishing")
    spans.event("snapshot.published", partner="contoso", **SNAPSHOT)
    spans.close(3)


def test_a_run_has_a_span_for_each_partner_and_stage() -> None:
    memory = Memory()
    run(Spans(Silent(), memory.tracer))
    found = memory.spans()
    assert found.keys() == {
        *("run", "partner contoso", "partner fabrikam", "discovering contoso"),
        *("discovering fabrikam", "checking contoso", "publishing contoso"),
    }
    assert found["run"].parent is None
    for name, parent in (("partner contoso", "run"), ("checking contoso", "partner contoso")):
        above = found[name].parent
        assert above is not None
        own = found[parent].context
        assert own is not None
        assert above.span_id == own.span_id
    assert dict(found["checking contoso"].attributes or {}) == {
        "auditor.partner": "contoso",
        "auditor.total": 7,
        "auditor.failed": 1,
    }
    assert dict(found["partner contoso"].attributes or {}) == {
        "auditor.partner": "contoso",
        "auditor.snapshot_id": "s1",
        "auditor.snapshot_status": "complete",
        "auditor.changes": 3,
    }
    assert dict(found["run"].attributes or {}) == {"auditor.run_id": "r1", "auditor.exit": 3}
    failed = found["partner fabrikam"]
    assert not failed.status.is_ok
    assert (failed.attributes or {})["error.type"] == "E_AUTH"
    sent = "".join(span.to_json() for span in found.values())
    assert not any(word in sent for word in ("a customer", "Secret Inc", "a body"))


def test_a_run_that_is_stopped_ends_all_its_spans() -> None:
    memory = Memory()
    spans = Spans(Silent(), memory.tracer, {"TRACEPARENT": PARENT})
    spans.event("run.started", run="r1", partners=1)
    spans.phase("contoso", "checking", 7)
    spans.close(143, "E_STOPPED")
    found = memory.spans()
    assert found.keys() == {"run", "partner contoso", "checking contoso"}
    assert {name for name, span in found.items() if not span.status.is_ok} >= {"run"}
    assert found["run"].parent is not None
    assert f"{found['run'].parent.span_id:016x}" == PARENT.split("-")[2]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[MonitoringServer]:
    with monitoring_server() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
        yield server


def sent_to(flush_s: float = 10.0) -> list[str]:
    """Send a run, and return the warnings."""
    warnings: list[str] = []

    def warn(*words: str) -> None:
        warnings.append(": ".join(words))

    with tracer({}, warn, flush_s) as made:
        run(Spans(Silent(), made))
    return warnings


def test_spans_reach_a_collector(collector: MonitoringServer) -> None:
    assert sent_to() == []
    assert {one.path for one in collector.sent} == {"/v1/traces"}
    spans = []
    for one in collector.sent:
        [resource] = ExportTraceServiceRequest.FromString(one.body).resource_spans
        names = {each.key: each.value.string_value for each in resource.resource.attributes}
        assert names["service.name"] == "auditor"
        spans += [span.name for scope in resource.scope_spans for span in scope.spans]
    assert sorted(spans) == sorted(
        ["run", "partner", "partner", "discovering", "discovering", "checking", "publishing"]
    )


def test_a_collector_that_refuses_or_hangs_is_one_warning(
    collector: MonitoringServer, capfd: pytest.CaptureFixture[str]
) -> None:
    collector.status = 401
    [refused] = sent_to()
    assert refused.startswith("E_TRACES: traces: spans were not sent: Failed to export")
    assert "401" in refused
    collector.may_answer.clear()
    [late] = sent_to(0.05)
    assert "no end within 0.05 seconds" in late
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("environ", "is_on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_SERVICE_NAME": "night"}, False),
    ],
)
def test_the_environment_switches_traces_on(environ: dict[str, str], *, is_on: bool) -> None:
    assert wants_traces(environ) is is_on
