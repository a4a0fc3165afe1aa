"""The progress of a run: lines every ten seconds, or a bar on a terminal."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from auditor.log import Events, LogFormat
from auditor.report.progress_bar import EVERY_S, SHOWN_FAILURES, Bar, Lines, following

NOW = datetime(2026, 11, 1, 12, 3, 4, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def events(stream: io.StringIO, *, log_format: str = "console", is_quiet: bool = False) -> Events:
    return Events(stream, LogFormat(log_format), is_quiet=is_quiet, now=lambda: NOW)


def written(stream: io.StringIO) -> list[str]:
    return [line.removeprefix("12:03:04 ") for line in stream.getvalue().splitlines()]


def test_lines_report_each_phase_and_its_progress_every_ten_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = Lines(events(stream), clock)
    lines.step("contoso")
    lines.phase("contoso", "discovering")
    lines.phase("contoso", "checking", 30)
    for _ in range(25):
        clock.now += EVERY_S / 10
        lines.step("contoso", failed=1)
    lines.phase("contoso", "publishing")
    lines.event("snapshot.published", partner="contoso")
    assert written(stream) == [
        "phase.started partner=contoso phase=discovering",
        "phase.started partner=contoso phase=checking total=30",
        "progress partner=contoso phase=checking done=10 total=30 failed=10",
        "progress partner=contoso phase=checking done=20 total=30 failed=20",
        "progress partner=contoso phase=checking done=25 total=30 failed=25",
        "phase.started partner=contoso phase=publishing",
        "snapshot.published partner=contoso",
    ]


def test_each_partner_is_counted_separately() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = Lines(events(stream), clock)
    lines.phase("a", "checking", 2)
    lines.phase("b", "checking", 3)
    clock.now = EVERY_S
    lines.step("a")
    lines.step("b", done=2)
    assert written(stream)[2:] == [
        "progress partner=a phase=checking done=1 total=2 failed=0",
        "progress partner=b phase=checking done=2 total=3 failed=0",
    ]


def test_many_failures_are_written_as_a_few_lines_and_a_count() -> None:
    stream = io.StringIO()
    lines = Lines(events(stream), Clock())
    for number in range(SHOWN_FAILURES + 5):
        lines.event("check.failed", number=number)
    lines.phase("contoso", "publishing")
    lines.event("check.failed", number=99)
    lines.event("run.finished")
    failed = [line for line in written(stream) if line.startswith("check.failed")]
    assert len(failed) == SHOWN_FAILURES + 2
    assert failed[SHOWN_FAILURES:] == ["check.failed_more checks=5", "check.failed_more checks=1"]


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_quiet_means_errors_only(stream: io.StringIO) -> None:
    writer = events(stream, is_quiet=True)
    with following(writer, Clock()) as progress:
        progress.phase("contoso", "checking", 10)
        progress.step("contoso")
        progress.event("run.finished")
        assert stream.getvalue() == ""
        writer.error("E_X", "broken")
    assert stream.getvalue() == "error[E_X]: broken\n"


@pytest.mark.parametrize(
    ("stream", "log_format", "environ"),
    [
        (io.StringIO(), "console", {"TERM": "xterm"}),
        (Terminal(), "json", {"TERM": "xterm"}),
        (Terminal(), "console", {"TERM": "dumb"}),
    ],
)
def test_a_file_json_or_a_dumb_terminal_gets_lines(
    stream: io.StringIO, log_format: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", environ["TERM"])
    with following(events(stream, log_format=log_format), Clock()) as progress:
        assert isinstance(progress, Lines)
        progress.event("run.started", run="x")
    assert "\x1b" not in stream.getvalue()
    assert "run.started" in stream.getvalue()


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    writer = events(stream)
    with following(writer, Clock()) as progress:
        assert isinstance(progress, Bar)
        assert writer.stream is not stream
        progress.event("run.started", run="x")
    assert writer.stream is stream
    assert "run.started run=x" in stream.getvalue()


@pytest.fixture
def bar() -> tuple[Bar, Clock, Console]:
    clock = Clock()
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    return Bar(events(io.StringIO()), console, clock, is_moving=False), clock, console


def drawn(bar: Bar, console: Console) -> list[str]:
    with console.capture() as capture:
        console.print(bar.shown.get_renderable())
    return capture.get().splitlines()


def test_the_bar_shows_done_total_failed_rate_and_time_left(
    bar: tuple[Bar, Clock, Console],
) -> None:
    shown, clock, console = bar
    shown.phase("contoso-eu", "checking", 1000)
    for _ in range(100):
        clock.now += 0.1
        shown.step("contoso-eu")
    shown.step("contoso-eu", failed=1)
    (line,) = drawn(shown, console)
    for words in ("contoso-eu", "checking", "101/1,000", "1 failed", "10/s", "0:01:30"):
        assert words in line, line


def test_a_phase_of_unknown_length_has_no_numbers(bar: tuple[Bar, Clock, Console]) -> None:
    shown, _, console = bar
    shown.step("a")
    shown.phase("a", "checking", 10)
    shown.phase("b", "checking", 20)
    shown.step("a", failed=1)
    shown.phase("a", "publishing")
    first, second = drawn(shown, console)
    assert "publishing" in first
    assert "failed" not in first
    assert "0/20 0 failed" in second


def test_control_characters_in_a_partners_name_are_escaped(bar: tuple[Bar, Clock, Console]) -> None:
    shown, _, console = bar
    shown.phase("con\x1b[2Jtoso[red]", "checking")
    assert r"con\x1b[2Jtoso[red]" in drawn(shown, console)[0]
