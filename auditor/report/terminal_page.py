"""Writes headings, tables and commands to a terminal."""

from collections.abc import Iterable
from typing import TextIO

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from auditor.log import clean

_WIDEST = 118


class TerminalPage:
    """Writes text and tables that fit the terminal; text from the API cannot move the cursor."""

    def __init__(self, stream: TextIO, width: int | None = None) -> None:
        self._console = Console(
            file=stream, highlight=False, markup=False, emoji=False, width=width
        )
        self.width = min(self._console.width, _WIDEST)
        self.block = "#" if self._console.options.ascii_only else "\N{FULL BLOCK}"

    def print(self, shown: RenderableType = "", *, is_whole: bool = False) -> None:
        """Write a line or a table; with `is_whole`, a long line is not wrapped."""
        width = None if is_whole else self.width
        self._console.print(shown, width=width, soft_wrap=is_whole)

    def heading(self, text: str, more: str = "") -> None:
        self.print()
        self.print(Text(text, style="bold cyan").append(f"  {more}" if more else "", "dim"))

    def commands(self, commands: Iterable[str]) -> None:
        """Write commands on unwrapped lines, so that they can be copied."""
        for command in commands:
            self.print(Text(f"  {clean(command)}", style="green"), is_whole=True)


def table(*columns: str) -> Table:
    """Return a table with these columns; `>` before a name aligns the column right."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0), show_edge=False)
    for name in columns:
        is_number = name.startswith(">")
        table.add_column(
            name.removeprefix(">"),
            justify="right" if is_number else "left",
            no_wrap=is_number,
            overflow="fold",
        )
    return table


def number(count: int, style: str = "") -> Text:
    """Return a count; a zero is dim."""
    return Text(f"{count:,}", style=style if count else "dim")


def words(name: str) -> str:
    """Return an identifier of ours as words: `newly restricted`."""
    return clean(name.replace("_", " "))


def plain(text: str) -> Text:
    """Return outside text that cannot move the cursor."""
    return Text(clean(text))
