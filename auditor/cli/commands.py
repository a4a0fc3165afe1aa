"""What the user may ask for: one frozen value per command, with its flags and its page of help."""

from pathlib import Path
from typing import Annotated

import msgspec

from auditor.cli import manual, words
from auditor.cli.annotations import HelpPage, Option
from auditor.cli.shared_options import Command, Configured, Narrowed, RowsCommand
from auditor.model import ChangeKind
from auditor.settings.values import Narrow

SEED = Option(
    read=words.whole(0, 999_999_999),
    metavar="N",
    help="each number makes another portfolio (default: 1)",
)
SNAPSHOT_ID = Option(
    read=words.snapshot, metavar="ID", help="as `list` shows it", is_positional=True
)


class Demo(Command, frozen=True, kw_only=True):
    """`auditor demo`."""

    page = HelpPage(
        name="demo",
        line="two nights of a made-up portfolio: audit, compare, report",
        usage="demo [options]",
        text="Starts a sandbox on this machine, audits two nights of a made-up portfolio and\n"
        "writes a report of what changed. Needs no account, no server and no network.",
        examples=("auditor demo --out /tmp/demo",),
    )

    out: Annotated[
        Path,
        Option(
            read=words.path,
            metavar="DIR",
            help="where everything goes (default: ./auditor-demo)",
        ),
    ] = Path("auditor-demo")
    seed: Annotated[int, SEED] = 1


class Sandbox(Command, frozen=True, kw_only=True):
    """`auditor sandbox`."""

    page = HelpPage(
        name="sandbox",
        line="a local Partner Center to try everything on",
        usage="sandbox [options]",
        text="Serves a made-up Partner Center on 127.0.0.1 until it is interrupted. Its\n"
        "address goes to stdout; a ready auditor.toml is at ADDRESS/_sandbox/config.",
        examples=("auditor sandbox --port 8080 --customers 50",),
    )

    port: Annotated[
        int,
        Option(
            read=words.whole(0, 65535),
            metavar="P",
            help="on 127.0.0.1; 0 takes a free one (default: 8080)",
        ),
    ] = 8080
    seed: Annotated[int, SEED] = 1
    customers: Annotated[
        int | None,
        Option(read=words.whole(1, 1_000_000), metavar="N", help="number of customers"),
    ] = None
    night: Annotated[
        int,
        Option(
            read=words.whole(1, 100_000),
            metavar="N",
            help="number of the night to serve (default: 1)",
        ),
    ] = 1
    faults: Annotated[
        Path | None,
        Option(read=words.path, metavar="FILE", help="TOML or JSON: what goes wrong, and when"),
    ] = None
    """None is a sandbox that always works."""


class Init(Configured, frozen=True, kw_only=True):
    """`auditor init`."""

    page = HelpPage(
        name="init",
        line="write a commented auditor.toml to start from",
        usage="init [options]",
        text="Writes an auditor.toml in which every key is explained. Never overwrites a file.",
        examples=("auditor init", "auditor init --config /etc/auditor/auditor.toml"),
    )


class Doctor(RowsCommand, frozen=True, kw_only=True):
    """`auditor doctor`."""

    page = HelpPage(
        name="doctor",
        line="try every part of the configuration, and say what to fix",
        usage="doctor [options]",
        text="Tries the credentials, the hosts, the rights, the quota, the store and the disk,\n"
        "and whether `state_dir` survives a restart. After a fault it tries the rest.",
        examples=("auditor doctor", "auditor doctor --format json"),
        more=manual.DOCTOR_STATUSES,
    )


class Plan(Narrowed, frozen=True, kw_only=True):
    """`auditor plan`."""

    page = HelpPage(
        name="plan",
        line="what a run would ask, how many calls and how long it takes",
        usage="plan [options]",
        text="Estimates a run: calls by partner, API, kind and country, the rows to expect and\n"
        "the time it takes at the quota. Makes the listing calls only.",
        examples=("auditor plan --explain", "auditor plan --country DE --format json"),
    )

    explain: Annotated[bool, Option(help="say why each group of SKUs is asked the way it is")] = (
        False
    )


class Run(Narrowed, frozen=True, kw_only=True):
    """`auditor run`."""

    page = HelpPage(
        name="run",
        line="ask Partner Center, compare with the last known answers, publish",
        usage="run [options]",
        text="Asks what each customer can buy, compares the answers with the last known ones,\n"
        "and publishes one snapshot per partner. Every answer is journaled: --resume\n"
        "continues a run that was stopped.",
        examples=(
            "auditor run",
            "auditor run --customer contoso.com --fail-on newly_restricted",
            "auditor run --resume --format json",
        ),
        more=manual.EXIT_STATUSES,
    )

    resume: Annotated[
        str | None,
        Option(
            read=words.text_or_nothing,
            metavar="RUN",
            without_word="",
            help="continue this run; without RUN, the newest unfinished one",
        ),
    ] = None
    trigger: Annotated[
        str,
        Option(
            read=words.text,
            metavar="T",
            help="who or what started the run, stored with the snapshot (default: manual)",
        ),
    ] = Narrow().trigger
    fail_on: Annotated[
        tuple[ChangeKind, ...],
        Option(
            read=words.member(ChangeKind),
            metavar="KIND",
            help="exit with 10 if a change of this kind was found; may be repeated",
        ),
    ] = ()

    @property
    def narrow(self) -> Narrow:
        """What the run is limited to, and how it goes on and ends."""
        return msgspec.structs.replace(
            super().narrow, resume=self.resume, trigger=self.trigger, fail_on=self.fail_on
        )


class Changes(RowsCommand, frozen=True, kw_only=True):
    """`auditor changes`."""

    page = HelpPage(
        name="changes",
        line="what changed, row by row or grouped by cause",
        usage="changes [options]",
        text="Shows what changed with each partner's newest snapshot, or between two snapshots.",
        examples=(
            "auditor changes --by-cause",
            "auditor changes --kind newly_restricted --customer contoso.com --out changes.xlsx",
        ),
    )

    snapshot: Annotated[
        str | None,
        Option(
            read=words.snapshot,
            metavar="ID",
            help="default: the newest of each partner",
            excludes="which",
        ),
    ] = None
    between: Annotated[
        tuple[str, str] | None,
        Option(
            read=words.snapshot,
            metavar=("A", "B"),
            help="compare two snapshots",
            excludes="which",
        ),
    ] = None
    kinds: Annotated[
        tuple[ChangeKind, ...],
        Option(
            flag="kind",
            read=words.member(ChangeKind),
            metavar="K",
            help=f"may be repeated: {', '.join(ChangeKind)}",
        ),
    ] = ()
    customer: Annotated[
        str | None,
        Option(read=words.customer, metavar="X", help="an id, a domain or a company name"),
    ] = None
    by_cause: Annotated[bool, Option(help="one row for all changes with the same cause")] = False
    out: Annotated[
        Path | None,
        Option(
            read=words.excel_path,
            metavar="FILE.xlsx",
            help="write an Excel file instead; - is stdout",
        ),
    ] = None


class Report(Configured, frozen=True, kw_only=True):
    """`auditor report`."""

    page = HelpPage(
        name="report",
        line="one self-contained HTML file",
        usage="report [options]",
        text="Writes a report that needs nothing but a browser.",
        examples=("auditor report --out report.html", "auditor report --mask > report.html"),
    )

    snapshot: Annotated[
        str | None,
        Option(read=words.snapshot, metavar="ID", help="default: the newest of each partner"),
    ] = None
    out: Annotated[
        Path | None,
        Option(read=words.path, metavar="FILE", help="default: - (stdout)"),
    ] = None
    mask: Annotated[
        bool, Option(help="hide the identity of customers, so that the report can be shared")
    ] = False


class SnapshotsList(RowsCommand, frozen=True, kw_only=True):
    """`auditor snapshots list`."""

    page = HelpPage(
        name="snapshots list",
        usage="snapshots list [options]",
        text="Lists every snapshot, oldest first.",
        examples=("auditor snapshots list --format json",),
    )


class SnapshotsShow(RowsCommand, frozen=True, kw_only=True):
    """`auditor snapshots show`."""

    page = HelpPage(
        name="snapshots show",
        usage="snapshots show ID [options]",
        text="Shows everything recorded about one snapshot. With --quarantine, lists the replies\n"
        "that could not be used: on the machine that made the snapshot, for 14 days.",
        examples=("auditor snapshots show 20261121T020000Z-1a2b3c",),
    )

    snapshot: Annotated[str, SNAPSHOT_ID]
    quarantine: Annotated[
        bool,
        Option(help="list the replies that could not be used; json includes their bodies"),
    ] = False


class SnapshotsVerify(Configured, frozen=True, kw_only=True):
    """`auditor snapshots verify`."""

    page = HelpPage(
        name="snapshots verify",
        usage="snapshots verify ID [options]",
        text="Compares the files of a snapshot with the checksums that were published with them.",
        examples=("auditor snapshots verify 20261121T020000Z-1a2b3c",),
        more="exit status\n    0   every file is as published\n    65  a file differs; it is named",
    )

    snapshot: Annotated[str, SNAPSHOT_ID]


class SnapshotsPrune(RowsCommand, frozen=True, kw_only=True):
    """`auditor snapshots prune`."""

    page = HelpPage(
        name="snapshots prune",
        usage="snapshots prune --keep 90d [options]",
        text="Deletes the large files of snapshots older than --keep. The changes are kept for\n"
        "ever. Without --apply it only lists what would be deleted.",
        examples=(
            "auditor snapshots prune --keep 90d",
            "auditor snapshots prune --keep 90d --apply",
        ),
    )

    keep_days: Annotated[
        int,
        Option(flag="keep", read=words.days, metavar="90d", help="keep younger snapshots whole"),
    ]
    apply: Annotated[bool, Option(help="delete, and do not only list")] = False


class Sql(RowsCommand, frozen=True, kw_only=True):
    """`auditor sql`."""

    page = HelpPage(
        name="sql",
        line="read-only SQL over the store",
        usage="sql QUERY [options]",
        text="Runs one SQL statement on the store. It can read the store's relations and views,\n"
        "and nothing else.",
        examples=(
            'auditor sql "SELECT verdict, count(*) FROM latest_inventory GROUP BY 1"',
            "auditor sql - --format csv < query.sql",
        ),
    )

    query: Annotated[
        str,
        Option(metavar="QUERY", help="one statement; - reads it from stdin", is_positional=True),
    ]


class DbUpgrade(Configured, frozen=True, kw_only=True):
    """`auditor db upgrade`."""

    page = HelpPage(
        name="db upgrade",
        usage="db upgrade [options]",
        text="Applies the missing parts of the schema, all or none, and recreates the views. It\n"
        "needs the rights of the owner; a run does not.",
        examples=("auditor db upgrade",),
        more="exit status\n    0   the schema has this version\n"
        "    76  the schema has a newer version, or the server is too old",
    )


class Text(msgspec.Struct, frozen=True):
    """A page of help, or the version: written to stdout."""

    text: str


Parsed = Command | Text
