"""The options of each command."""

from argparse import ArgumentParser

from auditor.cli import commands, words
from auditor.log import LogFormat
from auditor.model import ChangeKind
from auditor.settings.values import Narrow


def every_command(parser: ArgumentParser, *, is_configured: bool) -> None:
    group = parser.add_argument_group("every command")
    if is_configured:
        group.add_argument(
            "--config",
            type=words.path,
            metavar="FILE",
            help="default: ./auditor.toml, then $AUDITOR_CONFIG",
        )
    group.add_argument("--quiet", action="store_true", help="errors only on stderr")
    group.add_argument(
        "--log-format",
        type=words.member(LogFormat),
        default=LogFormat.CONSOLE,
        metavar="console|json",
        help="how lines on stderr are written",
    )
    group.add_argument(
        "--debug", action="store_true", help="show where an error comes from, without secrets"
    )
    group.add_argument("--help", "-h", action="store_true", help="show this")


def rows(parser: ArgumentParser) -> None:
    parser.add_argument_group("output").add_argument(
        "--format",
        type=words.member(commands.Format),
        default=commands.Format.TABLE,
        metavar="table|json|csv|markdown",
        help="how rows are written to stdout (default: table)",
    )


def _narrow(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("narrower (each may be given again)")
    group.add_argument(
        "--customer",
        type=words.customer,
        action="append",
        default=[],
        metavar="X",
        help="an id, a domain or an exact company name",
    )
    group.add_argument(
        "--partner",
        type=words.text,
        action="append",
        default=[],
        metavar="N",
        help="the name of a [[partner]]",
    )
    group.add_argument(
        "--country",
        type=words.country,
        action="append",
        default=[],
        metavar="CC",
        help="two letters",
    )


def demo(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=words.path,
        default=commands.Demo().out,
        metavar="DIR",
        help="where everything goes (default: ./auditor-demo)",
    )
    parser.add_argument(
        "--seed",
        type=words.whole(0, 999_999_999),
        default=1,
        metavar="N",
        help="another portfolio for each number (default: 1)",
    )


def sandbox(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        type=words.whole(0, 65535),
        default=8080,
        metavar="P",
        help="on 127.0.0.1; 0 takes a free one (default: 8080)",
    )
    parser.add_argument(
        "--seed",
        type=words.whole(0, 999_999_999),
        default=1,
        metavar="N",
        help="another portfolio for each number (default: 1)",
    )
    parser.add_argument(
        "--customers",
        type=words.whole(1, 1_000_000),
        metavar="N",
        help="how many there are",
    )
    parser.add_argument(
        "--night",
        type=words.whole(1, 100_000),
        default=1,
        metavar="N",
        help="which night of the portfolio it is (default: 1)",
    )
    parser.add_argument(
        "--faults", type=words.path, metavar="FILE", help="TOML or JSON: what goes wrong, and when"
    )


def nothing(_parser: ArgumentParser) -> None:
    """Take no more than every command takes."""


def plan(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--explain", action="store_true", help="say why each group of SKUs is asked that way"
    )
    _narrow(parser)
    rows(parser)


def run(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--resume",
        type=words.text_or_nothing,
        nargs="?",
        const="",
        metavar="RUN",
        help="go on with this run; without RUN, with the newest unfinished one",
    )
    parser.add_argument(
        "--trigger",
        type=words.text,
        default=Narrow().trigger,
        metavar="T",
        help="kept with the snapshot: who or what started it (default: manual)",
    )
    parser.add_argument(
        "--fail-on",
        type=words.member(ChangeKind),
        action="append",
        default=[],
        metavar="KIND",
        help="exit with 10 when such a change was found; may be given again",
    )
    _narrow(parser)
    rows(parser)


def changes(parser: ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--snapshot", type=words.snapshot, metavar="ID", help="default: the newest of each partner"
    )
    which.add_argument(
        "--between", type=words.snapshot, nargs=2, metavar=("A", "B"), help="from one to another"
    )
    parser.add_argument(
        "--kind",
        type=words.member(ChangeKind),
        action="append",
        default=[],
        metavar="K",
        help=f"may be given again: {', '.join(ChangeKind)}",
    )
    parser.add_argument(
        "--customer", type=words.customer, metavar="X", help="an id, a domain or a company name"
    )
    parser.add_argument(
        "--by-cause", action="store_true", help="gather what has one cause into one row"
    )
    rows(parser)
    parser.add_argument(
        "--out",
        type=words.excel_path,
        metavar="FILE.xlsx",
        help="write an Excel file instead; - is stdout",
    )


def snapshot(parser: ArgumentParser) -> None:
    parser.add_argument("snapshot", type=words.snapshot, metavar="ID", help="as `list` shows it")


def show(parser: ArgumentParser) -> None:
    snapshot(parser)
    parser.add_argument(
        "--quarantine",
        action="store_true",
        help="list the replies that could not be used; in json, with what they held",
    )
    rows(parser)


def prune(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--keep", type=words.days, required=True, metavar="90d", help="what is younger stays whole"
    )
    parser.add_argument("--apply", action="store_true", help="do it, and not only say what")
    rows(parser)


def sql(parser: ArgumentParser) -> None:
    parser.add_argument("query", metavar="QUERY", help="one statement; - reads it from stdin")
    rows(parser)


def report(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--snapshot", type=words.snapshot, metavar="ID", help="default: the newest of each partner"
    )
    parser.add_argument(
        "--out", type=words.path, metavar="FILE", help="default: -, which is stdout"
    )
    parser.add_argument(
        "--mask", action="store_true", help="hide who the customers are, to show it around"
    )
