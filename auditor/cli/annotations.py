"""How a command is written on the command line: a page about it, and an option for each field.

A command is one class in `auditor.cli.commands`. Its parser, its help and the README's table of
commands are made from that class, so a flag is written once.
"""

import typing
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

OPTIONS = "options"
NARROWER = "narrow the run (each may be repeated)"
OUTPUT = "output"
EVERY_COMMAND = "every command"
HEADINGS = (OPTIONS, NARROWER, OUTPUT, EVERY_COMMAND)
"""The groups of options in a help page, in their order."""


class HelpPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of help."""

    name: str
    line: str = ""
    """The summary in the list of all commands; '' for a command below another."""
    usage: str = ""
    """The words before `[options]`; '' means the command and its required arguments."""
    text: str
    examples: tuple[str, ...]
    more: str = ""

    @property
    def epilog(self) -> str:
        """The text after the options."""
        heading = "example" if len(self.examples) == 1 else "examples"
        lines = "\n".join(f"    {line}" for line in self.examples)
        return f"{heading}\n{lines}" + (f"\n\n{self.more}" if self.more else "")


class Option(msgspec.Struct, frozen=True):
    """How a field is given on the command line.

    The type of the field decides whether the option takes no word, one, two or many.
    """

    help: str
    metavar: str | tuple[str, str] | None = None
    read: Callable[[str], Any] = str
    """Turns a word into the value, or raises argparse's ArgumentTypeError."""
    flag: str = ""
    """'' is the field's name with dashes."""
    heading: str = OPTIONS
    excludes: str = ""
    """Options with the same text here exclude each other."""
    without_word: str | None = None
    """The value if the flag is given without a word; None means that the flag needs a word."""
    is_positional: bool = False


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a command: its type, its default and its option."""

    name: str
    type: Any  # a type, which mypy has no type for
    default: Any  # of that type; msgspec.NODEFAULT if it must be given
    option: Option

    @property
    def flag(self) -> str:
        """The flag as it is written, or the name of a positional argument."""
        name = self.option.flag or self.name.replace("_", "-")
        return name if self.option.is_positional else f"--{name}"

    @property
    def is_required(self) -> bool:
        """Whether the command requires this field."""
        return self.default is msgspec.NODEFAULT

    @property
    def is_repeatable(self) -> bool:
        """Whether the flag may be repeated."""
        return typing.get_args(self.type)[1:] == (...,)

    @property
    def is_pair(self) -> bool:
        """Whether the flag takes two words."""
        return isinstance(self.option.metavar, tuple)


def fields(command: type[msgspec.Struct]) -> Iterator[Field]:
    """Yield the fields of a command by heading, then in the order in which they are written."""
    hints = typing.get_type_hints(command, include_extras=True)
    found = []
    for field in msgspec.structs.fields(command):
        kind, option = typing.get_args(hints[field.name])
        found.append(Field(name=field.name, type=kind, default=field.default, option=option))
    yield from sorted(found, key=lambda field: HEADINGS.index(field.option.heading))


def usage(page: HelpPage, command: type[msgspec.Struct]) -> str:
    """Return the first line of a help page: the command and its required arguments."""
    needed = [
        f"{'' if field.option.is_positional else f'{field.flag} '}{field.option.metavar}"
        for field in fields(command)
        if field.is_required
    ]
    return " ".join([page.usage or " ".join([page.name, *needed]), "[options]"])
