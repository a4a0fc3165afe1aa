"""What the user may ask for: one frozen value per command, with its flags and its page of help."""

from pathlib import Path
from typing import Annotated

import msgspec

from auditor.cli import manual, words
from auditor.cli.annotations import Option, Page
from auditor.cli.shared_options import Command, Configured, Narrowed, Rows
from auditor.model import ChangeKind
from auditor.settings.values import Narrow

SEED = Option(
    read=words.whole(0, 999_999_999),
    metavar="N",
    help="another portfolio for each number (default: 1)",
)
SNAPSHOT_ID = Option(
    read=words.snapshot, metavar="ID", help="as `list` shows it", is_positional=True
)


class Demo(Command, frozen=True, kw_only=True):
    """`auditor demo`."""

    page = Page(
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

    page = Page(
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
        Option(read=words.whole(1, 1_000_000), metavar="N", help="how many there are"),
    ] = None
    night: Annotated[
        int,
        Option(
            read=words.whole(1, 100_000),
            metavar="N",
            help="which night of the portfolio it is (default: 1)",
        ),
    ] = 1
    faults: Annotated[
        Path | None,
        Option(read=words.path, metavar="FILE", help="TOML or JSON: what goes wrong, and when"),
    ] = None
    """None is a sandbox that always works."""


class Init(Configured, frozen=True, kw_only=True):
    """`auditor init`."""

    page = Page(
        name="init",
        line="write a commented auditor.toml to start from",
        usage="init [options]",
        text="Writes an auditor.toml in which every key is explained. Never overwrites a file.",
        examples=("auditor init", "auditor init --config /etc/auditor/auditor.toml"),
    )


class Doctor(Rows, frozen=True, kw_only=True):
    """`auditor doctor`."""

    page = Page(
        name="doctor",
        line="try every part of the configuration, and say what to mend",
        usage="doctor [options]",
        text="Tries the credentials, the hosts, what may be asked, the quota, the store, the\n"
        "disk and whether `state_dir` will last. A fault keeps nothing from being tried.",
        examples=("auditor doctor", "auditor doctor --format json"),
        more=manual.DOCTOR_STATUSES,
    )


class Plan(Narrowed, frozen=True, kw_only=True):
    """`auditor plan`."""

    page = Page(
        name="plan",
        line="what a run would ask, how many calls and how long it takes",
        usage="plan [options]",
        text="Foresees a run: calls by partner, API, kind and country, the rows to expect and\n"
        "the time it takes at the quota.",
        examples=("auditor plan --explain", "auditor plan --country DE --format json"),
    )

    explain: Annotated[bool, Option(help="say why each group of SKUs is asked that way")] = False


class Run(Narrowed, frozen=True, kw_only=True):
    """`auditor run`."""

    page = Page(
        name="run",
        line="ask Partner Center, compare with what was known, publish",
        usage="run [options]",
        text="Asks what each customer can buy, compares the answers with what was known, and\n"
        "publishes one snapshot per partner. What was asked is journaled: a run that was\n"
        "stopped goes on with --resume.",
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
            help="go on with this run; without RUN, with the newest unfinished one",
        ),
    ] = None
    trigger: Annotated[
        str,
        Option(
            read=words.text,
            metavar="T",
            help="kept with the snapshot: who or what started it (default: manual)",
        ),
    ] = Narrow().trigger
    fail_on: Annotated[
        tuple[ChangeKind, ...],
        Option(
            read=words.member(ChangeKind),
            metavar="KIND",
            help="exit with 10 when such a change was found; may be given again",
        ),
    ] = ()

    @property
    def narrow(self) -> Narrow:
        """What the run is limited to, and how it goes on and ends."""
        return msgspec.structs.replace(
            super().narrow, resume=self.resume, trigger=self.trigger, fail_on=self.fail_on
        )


class Changes(Rows, frozen=True, kw_only=True):
    """`auditor changes`."""

    page = Page(
        name="changes",
        line="what changed, row by row or gathered by cause",
        usage="changes [options]",
        text="Shows what changed with the newest snapshots, or between two.",
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
            help="from one to another",
            excludes="which",
        ),
    ] = None
    kinds: Annotated[
        tuple[ChangeKind, ...],
        Option(
            flag="kind",
            read=words.member(ChangeKind),
            metavar="K",
            help=f"may be given again: {', '.join(ChangeKind)}",
        ),
    ] = ()
    customer: Annotated[
        str | None,
        Option(read=words.customer, metavar="X", help="an id, a domain or a company name"),
    ] = None
    by_cause: Annotated[bool, Option(help="gather what has one cause into one row")] = False
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

    page = Page(
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
        Option(read=words.path, metavar="FILE", help="default: -, which is stdout"),
    ] = None
    mask: Annotated[bool, Option(help="hide who the customers are, to show it around")] = False


class SnapshotsList(Rows, frozen=True, kw_only=True):
    """`auditor snapshots list`."""

    page = Page(
        name="snapshots list",
        usage="snapshots list [options]",
        text="Lists every snapshot, oldest first.",
        examples=("auditor snapshots list --format json",),
    )


class SnapshotsShow(Rows, frozen=True, kw_only=True):
    """`auditor snapshots show`."""

    page = Page(
        name="snapshots show",
        usage="snapshots show ID [options]",
        text="Shows all there is to know of one snapshot, or with --quarantine the replies that\n"
        "could not be used: on the machine that made it, for 14 days.",
        examples=("auditor snapshots show 20261121T020000Z-1a2b3c",),
    )

    snapshot: Annotated[str, SNAPSHOT_ID]
    quarantine: Annotated[
        bool,
        Option(help="list the replies that could not be used; in json, with what they held"),
    ] = False


class SnapshotsVerify(Configured, frozen=True, kw_only=True):
    """`auditor snapshots verify`."""

    page = Page(
        name="snapshots verify",
        usage="snapshots verify ID [options]",
        text="Holds the files of a snapshot against the checksums that were published with them.",
        examples=("auditor snapshots verify 20261121T020000Z-1a2b3c",),
        more="exit status\n    0   every file is as published\n    65  one is not; it is named",
    )

    snapshot: Annotated[str, SNAPSHOT_ID]


class SnapshotsPrune(Rows, frozen=True, kw_only=True):
    """`auditor snapshots prune`."""

    page = Page(
        name="snapshots prune",
        usage="snapshots prune --keep 90d [options]",
        text="Drops the bulky files of snapshots that are older. What changed stays known for\n"
        "ever. Without --apply it only says what would go.",
        examples=(
            "auditor snapshots prune --keep 90d",
            "auditor snapshots prune --keep 90d --apply",
        ),
    )

    keep_days: Annotated[
        int,
        Option(flag="keep", read=words.days, metavar="90d", help="what is younger stays whole"),
    ]
    apply: Annotated[bool, Option(help="do it, and not only say what")] = False


class Sql(Rows, frozen=True, kw_only=True):
    """`auditor sql`."""

    page = Page(
        name="sql",
        line="read-only SQL over everything that is known",
        usage="sql QUERY [options]",
        text="Asks the store in SQL. It can read the store's relations and views, and nothing\n"
        "else.",
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

    page = Page(
        name="db upgrade",
        usage="db upgrade [options]",
        text="Applies what is missing of the schema, all of it or nothing, and makes the views\n"
        "anew. It takes the rights of the owner; a run needs none of them.",
        examples=("auditor db upgrade",),
        more="exit status\n    0   the schema is that of this version\n"
        "    76  it is that of a newer one, or the server is too old",
    )


class Text(msgspec.Struct, frozen=True):
    """Help or a version: to be written to stdout, and that is all."""

    text: str


Asked = (
    Demo
    | Sandbox
    | Init
    | Doctor
    | Plan
    | Run
    | Changes
    | SnapshotsList
    | SnapshotsShow
    | SnapshotsVerify
    | SnapshotsPrune
    | Sql
    | DbUpgrade
    | Report
)

Parsed = Asked | Text
