"""The command line: words become a command, or a page of help."""

import argparse
import re
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

from auditor.cli import annotations, catalog, commands
from auditor.cli.annotations import EVERY_COMMAND, OPTIONS, Field, HelpPage
from auditor.cli.commands import Parsed
from auditor.cli.shared_options import Command
from auditor.errors import UsageError
from auditor.settings.problems import nearest

_FLAG = re.compile(r"--[A-Za-z][A-Za-z_-]*(=.*)?")


def parse(argv: Sequence[str], version: str) -> Parsed:
    """Return the command that the words mean; raise UsageError with the nearest valid word."""
    words = list(argv)
    if not words or words[0] in {"-h", "--help", "help"}:
        named = [word for word in words[1:] if word in catalog.PAGES]
        return parse([*named, "--help"], version) if named else commands.Text(catalog.overview())
    if words[0] == "--version":
        return commands.Text(f"auditor {version}\n")
    page, command, rest = _command(words)
    parser = _parser(page, command)
    if any(word in {"-h", "--help"} for word in rest):
        return commands.Text(parser.format_help())
    for word in rest:
        # This comes before argparse, which would only report what is missing without the option.
        if _FLAG.fullmatch(word) and word.partition("=")[0] not in parser.flags():
            raise _unknown(word, parser, page)
    found, left = parser.parse_known_args(rest)
    if left:
        raise _unknown(left[0], parser, page)
    values = {field.name: _value(field, found) for field in annotations.fields(command)}
    return command(**values)


def _command(words: list[str]) -> tuple[HelpPage, type[Command], list[str]]:
    """Return the page, the command and what is left of the words."""
    name = words[0]
    if name.startswith("-"):
        near = next((word for word in words if word in catalog.PAGES), "run")
        raise UsageError(
            f"the option {name} stands before the command",
            hint=f"options go after the command: auditor {near} {name}",
        )
    if name not in catalog.PAGES:
        raise UsageError(f"there is no command {name!r}", hint=_nearest(name, catalog.PAGES))
    below = catalog.below(name)
    if not below:
        return catalog.PAGES[name], catalog.CLASSES[name], words[1:]
    action = words[1] if len(words) > 1 and not words[1].startswith("-") else ""
    if not action:
        is_help = any(word in {"-h", "--help"} for word in words[1:])
        if is_help or "list" in below:
            first = next(iter(below.values()))
            return (catalog.PAGES[name] if is_help else first.page), first, words[1:]
        raise UsageError(f"{name}: a command is missing", hint=_nearest("", below))
    if action not in below:
        raise UsageError(f"there is no command '{name} {action}'", hint=_nearest(action, below))
    return below[action].page, below[action], words[2:]


def _nearest(word: str, known: Collection[str]) -> str:
    near = nearest(word, known)
    return f"did you mean `{near}`?" if near else f"commands: {', '.join(known)}"


def _unknown(word: str, parser: "_Parser", page: HelpPage) -> UsageError:
    if not word.startswith("-"):
        return UsageError(
            f"auditor {page.name}: unexpected argument {word!r}",
            hint=f"`auditor {page.name} --help` shows its usage",
        )
    flag = word.partition("=")[0]
    near = nearest(flag, parser.flags())
    return UsageError(
        f"auditor {page.name}: there is no option {flag}",
        hint=f"did you mean `{near}`?" if near else f"`auditor {page.name} --help` lists them",
    )


class _Parser(argparse.ArgumentParser):
    """An argparse parser that raises UsageError, and never prints or exits."""

    def flags(self) -> list[str]:
        return [flag for action in self._actions for flag in action.option_strings]

    def error(self, message: str) -> NoReturn:
        raise UsageError(
            f"{self.prog}: {message.removeprefix('argument ')}",
            hint=f"`{self.prog} --help` shows its usage",
        )


def _formatter(prog: str) -> argparse.HelpFormatter:
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=30)


def _parser(page: HelpPage, command: type[Command]) -> _Parser:
    parser = _Parser(
        prog=f"auditor {page.name}",
        usage=f"auditor {annotations.usage(page, command)}",
        description=page.text,
        epilog=page.epilog,
        formatter_class=_formatter,
        add_help=False,
        allow_abbrev=False,
    )
    groups: dict[str, Any] = {
        OPTIONS: parser
    }  # argparse names no type for what options are added to
    for field in annotations.fields(command):
        heading, excludes = field.option.heading, field.option.excludes
        if heading not in groups:
            groups[heading] = parser.add_argument_group(heading)
        if excludes and excludes not in groups:
            groups[excludes] = groups[heading].add_mutually_exclusive_group()
        _add(groups[excludes or heading], field)
    groups[EVERY_COMMAND].add_argument("--help", "-h", action="store_true", help="show this")
    return parser


def _add(group: Any, field: Field) -> None:  # likewise
    """Add the option of a field to a parser or to a group of it."""
    option = field.option
    how: dict[str, Any] = {"help": option.help}
    if field.type is bool:
        how["action"] = "store_true"
    else:
        how |= {"type": option.read, "metavar": option.metavar}
        if field.is_repeatable:
            how["action"] = "append"
        elif field.is_pair:
            how["nargs"] = 2
        elif option.without_word is not None:
            how |= {"nargs": "?", "const": option.without_word}
    if option.is_positional:
        if not field.is_required:
            how["nargs"] = "?"
        group.add_argument(field.name, **how)
    else:
        group.add_argument(field.flag, dest=field.name, required=field.is_required, **how)


def _value(field: Field, found: argparse.Namespace) -> Any:  # of the field's type
    given = getattr(found, field.name)
    if given is None:
        return field.default
    if field.is_repeatable:
        return tuple(dict.fromkeys(given))
    return tuple(given) if field.is_pair else given
