"""The progress of a run: a bar on a terminal, event lines elsewhere, nothing when quiet."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self, TextIO, cast

from rich.console import Console
from rich.file_proxy import FileProxy
from rich.progress import (
    BarColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.table import Column
from rich.text import Text

from auditor.log import Events, LogFormat, clean
from auditor.progress import Progress

SHOWN_FAILURES = 20
"""So many failed checks are written one by one; the others are only counted."""
EVERY_S = 10.0

_FAILED = "check.failed"
Clock = Callable[[], float]


@contextmanager
def following(events: Events, clock: Clock = time.monotonic) -> Iterator[Progress]:
    """Show the progress of the block: a bar if stderr is a terminal, else event lines."""
    console = Console(file=events.stream, highlight=False)
    is_live = console.is_terminal and not console.is_dumb_terminal
    if events.is_quiet or not is_live or events.log_format is LogFormat.JSON:
        yield Lines(events, clock)
        return
    with Bar(events, console, clock) as bar:
        yield bar


class Failures:
    """Writes the first failed checks of a run, and counts the others."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._shown = 0
        self._rest = 0

    def event(self, name: str, **fields: object) -> None:
        """Write an event, unless it is a failed check beyond the first `SHOWN_FAILURES`."""
        if name == _FAILED and self._shown == SHOWN_FAILURES:
            self._rest += 1
            return
        self._shown += name == _FAILED
        self._events.event(name, **fields)

    def write_rest(self) -> None:
        """Write how many failed checks were left out, and begin to count from 0."""
        if self._rest:
            self._events.event("check.failed_more", checks=self._rest)
            self._rest = 0


class Lines:
    """Writes a run as event lines: each event, and every ten seconds the number of steps done."""

    def __init__(self, events: Events, clock: Clock = time.monotonic) -> None:
        self._events = events
        self._failures = Failures(events)
        self._clock = clock
        self._phases: dict[str, _Phase] = {}

    def event(self, name: str, **fields: object) -> None:
        """Write what happened."""
        if name != _FAILED:
            self._failures.write_rest()
        self._failures.event(name, **fields)

    def phase(self, partner: str, name: str, total: int | None = None) -> None:
        """Write that a partner's run enters a phase."""
        self._end(partner)
        self._failures.write_rest()
        self._phases[partner] = _Phase(name, total, self._clock())
        fields = {} if total is None else {"total": total}
        self._events.event("phase.started", partner=partner, phase=name, **fields)

    def step(self, partner: str, done: int = 1, failed: int = 0) -> None:
        """Count the steps; write the progress if the last line is at least `EVERY_S` old."""
        phase = self._phases.get(partner)
        if phase is None:
            return
        phase.done += done
        phase.failed += failed
        phase.is_written = False
        now = self._clock()
        if now - phase.written_at >= EVERY_S:
            phase.written_at = now
            self._write(partner, phase)

    def _end(self, partner: str) -> None:
        phase = self._phases.pop(partner, None)
        if phase is not None and not phase.is_written:
            self._write(partner, phase)

    def _write(self, partner: str, phase: "_Phase") -> None:
        phase.is_written = True
        fields: dict[str, object] = {"partner": partner, "phase": phase.name, "done": phase.done}
        if phase.total is not None:
            fields["total"] = phase.total
        self._events.event("progress", **fields, failed=phase.failed)


class _Phase:
    def __init__(self, name: str, total: int | None, now: float) -> None:
        self.name = name
        self.total = total
        self.done = 0
        self.failed = 0
        self.written_at = now
        self.is_written = True


class Bar:
    """Shows a line for each partner: phase, done, total, failed, rate and time left.

    Events are written above the bar. The bar disappears at the end.
    """

    def __init__(
        self,
        events: Events,
        console: Console,
        clock: Clock = time.monotonic,
        *,
        is_moving: bool = True,
    ) -> None:
        self._events = events
        self._failures = Failures(events)
        self._stream = events.stream
        self._console = console
        self._tasks: dict[str, Task] = {}
        self.shown = RichProgress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.fields[partner]}", markup=False),
            TextColumn("{task.description}", style="dim", markup=False),
            BarColumn(bar_width=None),
            _Counted(Column(no_wrap=True)),
            _Rate(Column(no_wrap=True)),
            TimeRemainingColumn(),
            console=console,
            get_time=clock,
            auto_refresh=is_moving,
            transient=True,
            expand=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._events.stream = cast("TextIO", FileProxy(self._console, self._stream))  # has `write`
        self.shown.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._failures.write_rest()
        self.shown.stop()
        self._events.stream = self._stream

    def event(self, name: str, **fields: object) -> None:
        """Write what happened above the bar."""
        self._failures.event(name, **fields)

    def phase(self, partner: str, name: str, total: int | None = None) -> None:
        """Restart a partner's line for a new phase."""
        self._failures.write_rest()
        task = self._tasks.get(partner)
        if task is None:
            self.shown.add_task("", partner=clean(partner), failed=0)
            task = self._tasks[partner] = self.shown.tasks[-1]
        self.shown.reset(task.id, description=clean(name), partner=clean(partner), failed=0)
        task.total = total  # `reset` cannot set it to None

    def step(self, partner: str, done: int = 1, failed: int = 0) -> None:
        """Advance a partner's line."""
        task = self._tasks.get(partner)
        if task is not None:
            self.shown.update(task.id, advance=done, failed=task.fields["failed"] + failed)


class _Counted(ProgressColumn):
    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text("")
        text = Text(f"{task.completed:,.0f}/{task.total:,.0f}")
        failed = task.fields["failed"]
        style = "bold red" if failed else "dim"
        return text.append(f" {failed:,} failed", style=style)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", style="dim")
