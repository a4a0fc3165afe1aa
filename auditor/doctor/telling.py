"""Findings for a person: one line each, and below it what to mend."""

from collections.abc import Sequence
from typing import TextIO

from rich.table import Table
from rich.text import Text

from auditor.doctor.finding import Finding, State
from auditor.log import clean
from auditor.report.terminal_page import Page

_STYLES = {State.OK: "green", State.WARNING: "yellow", State.FAULT: "bold red"}


def tell(findings: Sequence[Finding], stream: TextIO) -> None:
    """Write what was found, and how many faults there are."""
    page = Page(stream)
    lines = Table.grid(padding=(0, 2, 0, 0))
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    for finding in findings:
        whose = f"{finding.partner} " if finding.partner else ""
        line = Text(clean(f"{whose}{finding.check}"), style="bold")
        line.append(f": {clean(finding.said)}", "not bold")
        lines.add_row(Text(finding.state, style=_STYLES[finding.state]), line)
        if finding.mend and finding.state is not State.OK:
            lines.add_row("", Text(f"to mend: {clean(finding.mend)}", style="italic"))
    page.print(lines)
    faults = sum(finding.state is State.FAULT for finding in findings)
    warnings = sum(finding.state is State.WARNING for finding in findings)
    page.print()
    page.print(f"{len(findings)} checks, {faults} fault(s), {warnings} warning(s)")
