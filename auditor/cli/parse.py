"""The command line: from words to one frozen value per command.

`parse` is all there is to call; `commands` are the values, `manual` is what `--help` says.
"""

import argparse
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any, NoReturn

from auditor.cli import commands, options
from auditor.cli.commands import Parsed
from auditor.cli.manual import COMMANDS, Page, overview, pages_below
from auditor.errors import UsageError
from auditor.settings.problems import nearest
from auditor.settings.values import Narrow

_FLAG = re.compile(r"--[A-Za-z][A-Za-z_-]*(=.*)?")


def parse(argv: Sequence[str], version: str) -> Parsed:
    """Return the command that the words mean; raise UsageError with the nearest that would do."""
    words = list(argv)
    if not words or words[0] in {"-h", "--help", "help"}:
        named = [word for word in words[1:] if word in COMMANDS]
        return parse([*named, "--help"], version) if named else commands.Text(overview())
    if words[0] == "--version":
        return commands.Text(f"auditor {version}\n")
    page, rest = _page(words)
    parser = _parser(page)
    if any(word in {"-h", "--help"} for word in rest):
        return commands.Text(parser.format_help())
    for word in rest:
        # Before argparse looks: it would complain of what the misspelt option leaves missing.
        if _FLAG.fullmatch(word) and word.partition("=")[0] not in parser.flags():
            raise _unknown(word, parser, page)
    found, left = parser.parse_known_args(rest)
    if left:
        raise _unknown(left[0], parser, page)
    _, read = _COMMANDS[page.name]
    return read(found)


def _page(words: list[str]) -> tuple[Page, list[str]]:
    name = words[0]
    if name.startswith("-"):
        near = next((word for word in words if word in COMMANDS), "run")
        raise UsageError(
            f"{name} before a command",
            hint=f"options go after the command: auditor {near} {name}",
        )
    if name not in COMMANDS:
        raise UsageError(f"there is no command {name!r}", hint=_nearest(name, COMMANDS))
    below = pages_below(name)
    if not below:
        return COMMANDS[name], words[1:]
    action = words[1] if len(words) > 1 and not words[1].startswith("-") else ""
    if not action:
        is_help = any(word in {"-h", "--help"} for word in words[1:])
        if is_help or "list" in below:
            return (COMMANDS[name] if is_help else below["list"]), words[1:]
        raise UsageError(f"{name} what?", hint=_nearest("", below))
    if action not in below:
        raise UsageError(f"there is no command '{name} {action}'", hint=_nearest(action, below))
    return below[action], words[2:]


def _nearest(word: str, known: Collection[str]) -> str:
    near = nearest(word, known)
    return f"did you mean `{near}`?" if near else f"there are: {', '.join(known)}"


def _unknown(word: str, parser: "_Parser", page: Page) -> UsageError:
    if not word.startswith("-"):
        return UsageError(
            f"auditor {page.name}: {word!r} is one word too many",
            hint=f"`auditor {page.name} --help` says what goes where",
        )
    flag = word.partition("=")[0]
    near = nearest(flag, parser.flags())
    return UsageError(
        f"auditor {page.name}: there is no option {flag}",
        hint=f"did you mean `{near}`?" if near else f"`auditor {page.name} --help` lists them",
    )


class _Parser(argparse.ArgumentParser):
    """An argparse parser that raises what is ours, and never prints or exits."""

    def flags(self) -> list[str]:
        return [flag for action in self._actions for flag in action.option_strings]

    def error(self, message: str) -> NoReturn:
        raise UsageError(
            f"{self.prog}: {message.removeprefix('argument ')}",
            hint=f"`{self.prog} --help` shows how it is used",
        )


def _formatter(prog: str) -> argparse.HelpFormatter:
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=30)


def _parser(page: Page) -> _Parser:
    parser = _Parser(
        prog=f"auditor {page.name}",
        usage=f"auditor {page.usage}",
        description=page.text,
        epilog=page.epilog,
        formatter_class=_formatter,
        add_help=False,
        allow_abbrev=False,
    )
    add, _ = _COMMANDS[page.name]
    add(parser)
    options.every_command(parser, is_configured=page.is_configured)
    return parser


# argparse hands over whatever the functions in `words` returned.
_Found = Any


def _shared(found: _Found) -> dict[str, Any]:
    names = ("quiet", "log_format", "debug", "config", "format")
    return {name: getattr(found, name) for name in names if hasattr(found, name)}


def _narrow(found: _Found) -> Narrow:
    return Narrow(
        customers=tuple(dict.fromkeys(found.customer)),
        partners=tuple(dict.fromkeys(found.partner)),
        countries=tuple(dict.fromkeys(found.country)),
        resume=getattr(found, "resume", None),
        trigger=getattr(found, "trigger", Narrow().trigger),
        fail_on=tuple(dict.fromkeys(getattr(found, "fail_on", ()))),
    )


def _changes(found: _Found) -> commands.Changes:
    return commands.Changes(
        snapshot=found.snapshot,
        between=tuple(found.between) if found.between else None,
        kinds=tuple(dict.fromkeys(found.kind)),
        customer=found.customer,
        by_cause=found.by_cause,
        out=found.out,
        **_shared(found),
    )


_COMMANDS: dict[str, tuple[Callable[[_Parser], None], Callable[[_Found], Parsed]]] = {
    "demo": (options.demo, lambda f: commands.Demo(out=f.out, seed=f.seed, **_shared(f))),
    "sandbox": (
        options.sandbox,
        lambda f: commands.Sandbox(
            port=f.port,
            seed=f.seed,
            customers=f.customers,
            night=f.night,
            faults=f.faults,
            **_shared(f),
        ),
    ),
    "init": (options.nothing, lambda f: commands.Init(**_shared(f))),
    "doctor": (options.rows, lambda f: commands.Doctor(**_shared(f))),
    "plan": (
        options.plan,
        lambda f: commands.Plan(narrow=_narrow(f), explain=f.explain, **_shared(f)),
    ),
    "run": (options.run, lambda f: commands.Run(narrow=_narrow(f), **_shared(f))),
    "changes": (options.changes, _changes),
    "snapshots": (options.rows, lambda f: commands.SnapshotsList(**_shared(f))),
    "snapshots list": (options.rows, lambda f: commands.SnapshotsList(**_shared(f))),
    "snapshots show": (
        options.show,
        lambda f: commands.SnapshotsShow(
            snapshot=f.snapshot, quarantine=f.quarantine, **_shared(f)
        ),
    ),
    "snapshots verify": (
        options.snapshot,
        lambda f: commands.SnapshotsVerify(snapshot=f.snapshot, **_shared(f)),
    ),
    "snapshots prune": (
        options.prune,
        lambda f: commands.SnapshotsPrune(keep_days=f.keep, apply=f.apply, **_shared(f)),
    ),
    "sql": (options.sql, lambda f: commands.Sql(query=f.query, **_shared(f))),
    "db": (options.nothing, lambda f: commands.DbUpgrade(**_shared(f))),
    "db upgrade": (options.nothing, lambda f: commands.DbUpgrade(**_shared(f))),
    "report": (
        options.report,
        lambda f: commands.Report(snapshot=f.snapshot, out=f.out, mask=f.mask, **_shared(f)),
    ),
}
"""What each command takes, and the value that is made of it."""
