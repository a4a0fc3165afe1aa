"""Traces and lineage events are off unless the environment asks, and never stop a run."""

import io
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from auditor.cli.console import Console
from auditor.cli.run_telemetry import RunTelemetry
from auditor.cli.stopping import Stopper
from auditor.log import Events, LogFormat
from auditor.progress import Silent
from auditor.run.run import Run
from auditor.settings import Narrow, Settings

BOTH = {"OTEL_TRACES_EXPORTER": "otlp", "OPENLINEAGE_URL": "http://127.0.0.1:9"}


def telemetry(environ: Mapping[str, str], stderr: io.StringIO) -> RunTelemetry:
    def now() -> datetime:
        return datetime(2026, 12, 1, tzinfo=UTC)

    console = Console(
        environ=environ,
        stdin=io.StringIO(),
        stdout=io.StringIO(),
        events=Events(stderr, LogFormat.CONSOLE, is_quiet=False, now=now),
        stopper=Stopper(),
        now=now,
    )
    return RunTelemetry(Narrow(), Settings(state_dir=Path("/nowhere")), console)


def test_without_variables_the_progress_is_not_wrapped() -> None:
    stderr, progress = io.StringIO(), Silent()
    off = telemetry({}, stderr)
    assert off.follow(progress, cast("Run", None)) is progress
    off.close(0)
    assert stderr.getvalue() == ""


def test_a_missing_extra_is_a_warning_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("auditor.metrics.traces", "auditor.metrics.lineage"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in ("opentelemetry", "openlineage.client.client"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delattr("auditor.metrics.traces", raising=False)
    monkeypatch.delattr("auditor.metrics.lineage", raising=False)
    stderr, progress = io.StringIO(), Silent()
    assert telemetry(BOTH, stderr).follow(progress, cast("Run", None)) is progress
    lines = stderr.getvalue().splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        *("warning[E_TRACES]", "hint"),
        *("warning[E_LINEAGE]", "hint"),
    ]
    assert "csp-sku-auditor[otel]" in lines[1]
    assert "csp-sku-auditor[lineage]" in lines[3]


def test_what_fails_at_the_end_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resource that cannot be closed stands for any fault of a library."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    stderr = io.StringIO()
    broken = telemetry({"OTEL_TRACES_EXPORTER": "otlp"}, stderr)
    assert broken.follow(Silent(), cast("Run", None)) is not None

    def fail() -> None:
        raise ValueError

    broken._sending.callback(fail)  # noqa: SLF001 - no library fails on demand
    broken.close(0)
    assert "warning[E_TRACES]: traces or lineage events were not sent: ValueError" in (
        stderr.getvalue()
    )
