"""What the user may ask for: one frozen value per command, with its flags and its page of help."""

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import msgspec

from auditor.cli import manual, words
from auditor.cli.annotations import OUTPUT, HelpPage, Option
from auditor.cli.shared_options import Command, Configured, Narrowed, RowsCommand
from auditor.model import ChangeKind
from auditor.settings.values import Narrow, Part

SEED = Option("each number makes another portfolio (default: 1)", "N", words.whole(0, 999_999_999))

TRIGGER = Option(
    "who or what started the run, stored with the snapshot (default: manual)", "T", words.text
)
REPORT = Option(
    "also write the object of --format json here, however the run ends; - is stdout",
    "FILE",
    words.path,
    heading=OUTPUT,
)


class Demo(Command, frozen=True, kw_only=True):
    """`auditor demo`."""

    page = HelpPage(
        name="demo",
        line="two nights of a made-up portfolio: audit, compare, report",
        text="Starts a sandbox on this machine, audits two nights of a made-up portfolio and\n"
        "writes a report of what changed. Needs no account, no server and no network.",
        examples=("auditor demo --out /tmp/demo",),
    )

    out: Annotated[
        Path, Option("where everything goes (default: ./auditor-demo)", "DIR", words.path)
    ] = Path("auditor-demo")
    seed: Annotated[int, SEED] = 1


class Sandbox(Command, frozen=True, kw_only=True):
    """`auditor sandbox`."""

    page = HelpPage(
        name="sandbox",
        line="a local Partner Center to try everything on",
        text="Serves a made-up Partner Center on 127.0.0.1 until it is interrupted. Its\n"
        "address goes to stdout; a ready auditor.toml is at ADDRESS/_sandbox/config.",
        examples=("auditor sandbox --port 8080 --customers 50",),
    )

    port: Annotated[
        int, Option("on 127.0.0.1; 0 takes a free one (default: 8080)", "P", words.whole(0, 65535))
    ] = 8080
    seed: Annotated[int, SEED] = 1
    customers: Annotated[
        int | None, Option("number of customers", "N", words.whole(1, 1_000_000))
    ] = None
    night: Annotated[
        int, Option("number of the night to serve (default: 1)", "N", words.whole(1, 100_000))
    ] = 1
    faults: Annotated[
        Path | None, Option("TOML or JSON: what goes wrong, and when", "FILE", words.path)
    ] = None
    """None is a sandbox that always works."""


class Init(Configured, frozen=True, kw_only=True):
    """`auditor init`."""

    page = HelpPage(
        name="init",
        line="write a commented auditor.toml to start from",
        text="Writes an auditor.toml in which every key is explained. Never overwrites a file.",
        examples=("auditor init", "auditor init --config /etc/auditor/auditor.toml"),
    )


class Doctor(RowsCommand, frozen=True, kw_only=True):
    """`auditor doctor`."""

    page = HelpPage(
        name="doctor",
        line="try every part of the configuration, and say what to fix",
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
        text="Estimates a run: calls by partner, API, kind and country, the rows to expect and\n"
        "the time it takes at the quota. Makes the listing calls only.",
        examples=("auditor plan --explain", "auditor plan --country DE --format json"),
    )

    explain: Annotated[bool, Option("say why each group of SKUs is asked the way it is")] = False


class Run(Narrowed, frozen=True, kw_only=True):
    """`auditor run`."""

    page = HelpPage(
        name="run",
        line="ask Partner Center, compare with the last known answers, publish",
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
            "continue this run; without RUN, the newest unfinished one",
            "RUN",
            words.text_or_nothing,
            excludes="which run",
            without_word="",
        ),
    ] = None
    run: Annotated[
        str,
        Option(
            "start the run ID, or continue it if it was started before; if it has ended, only"
            " report it once more. --resume ID never starts a run",
            "ID",
            words.run_id,
            excludes="which run",
        ),
    ] = ""
    part: Annotated[
        Part | None,
        Option(
            "do only part I of N of the run that --run names, and publish nothing; all parts may"
            " run at once, on any machines that share the store: see `auditor publish`",
            "I/N",
            words.part,
        ),
    ] = None
    wait: Annotated[
        timedelta,
        Option(
            "wait so long for a lock that another run holds (default: 0s)", "30m", words.duration
        ),
    ] = timedelta()
    max_seconds: Annotated[
        int | None,
        Option(
            "take no longer: stop asking in time, and publish what was answered as incomplete",
            "N",
            words.whole(1, 999_999_999),
        ),
    ] = None
    trigger: Annotated[str, TRIGGER] = Narrow().trigger
    fail_on: Annotated[
        tuple[ChangeKind, ...],
        Option(
            "exit with 10 if a change of this kind was found; may be repeated",
            "KIND",
            words.member(ChangeKind),
        ),
    ] = ()

    report: Annotated[Path | None, REPORT] = None

    @property
    def narrow(self) -> Narrow:
        """The run's part of the portfolio, and the flags that a run has of its own."""
        return msgspec.structs.replace(
            super().narrow,
            resume=self.resume,
            run=self.run,
            part=self.part,
            wait_s=self.wait.total_seconds(),
            max_seconds=self.max_seconds,
            trigger=self.trigger,
            fail_on=self.fail_on,
        )


class Publish(RowsCommand, frozen=True, kw_only=True):
    """`auditor publish`."""

    page = HelpPage(
        name="publish",
        line="publish a run that was divided with `run --part`",
        text="Publishes what the parts of a run have staged, once all parts are done. A partner\n"
        "that is published already stays as it is. Without --part, a run publishes itself.",
        examples=("auditor publish nightly-2026-12-01", "auditor publish nightly --format json"),
        more=manual.PUBLISH_STATUSES,
    )

    run: Annotated[str, Option("as --run named it", "RUN", words.run_id, is_positional=True)]
    wait: Annotated[
        timedelta,
        Option("wait so long for parts that are not done (default: 0s)", "30m", words.duration),
    ] = timedelta()
    trigger: Annotated[str, TRIGGER] = Narrow().trigger
    report: Annotated[Path | None, REPORT] = None


class Changes(RowsCommand, frozen=True, kw_only=True):
    """`auditor changes`."""

    page = HelpPage(
        name="changes",
        line="what changed, row by row or grouped by cause",
        text="Shows what changed with each partner's newest snapshot, since a day, or between two\n"
        "snapshots. All conditions must hold.",
        examples=(
            "auditor changes --by-cause",
            "auditor changes --kind newly_restricted --customer contoso.com --out changes.xlsx",
            "auditor changes --since 7d --region japanwest --format csv",
        ),
    )

    snapshot: Annotated[
        str | None,
        Option("default: the newest of each partner", "ID", words.snapshot, excludes="which"),
    ] = None
    between: Annotated[
        tuple[str, str] | None,
        Option("compare two snapshots", ("A", "B"), words.snapshot, excludes="which"),
    ] = None
    since: Annotated[
        timedelta | date | None,
        Option(
            "what was published in this time, or since the night of a date",
            "7d|DATE",
            words.since,
            excludes="which",
        ),
    ] = None
    kinds: Annotated[
        tuple[ChangeKind, ...],
        Option(
            f"may be repeated: {', '.join(ChangeKind)}", "K", words.member(ChangeKind), flag="kind"
        ),
    ] = ()
    customer: Annotated[
        str | None, Option("an id, a domain or a company name", "X", words.customer)
    ] = None
    partner: Annotated[
        str | None, Option("the name or the tenant id of a partner", "N", words.text)
    ] = None
    country: Annotated[str | None, Option("two letters", "CC", words.country)] = None
    region: Annotated[str | None, Option("an Azure region, as in japanwest", "R", words.region)] = (
        None
    )
    sku: Annotated[str | None, Option("as in DZH318Z0BQ3Q:0011", "S", words.sku)] = None
    subscription: Annotated[
        str | None, Option("the id of an Azure subscription", "A", words.subscription)
    ] = None
    by_cause: Annotated[bool, Option("one row for all changes with the same cause")] = False
    out: Annotated[
        Path | None,
        Option("write an Excel file instead; - is stdout", "FILE.xlsx", words.excel_path),
    ] = None


class Status(RowsCommand, frozen=True, kw_only=True):
    """`auditor status`."""

    page = HelpPage(
        name="status",
        line="how each partner's last night went, for people and for monitoring",
        text="Shows for each partner its last complete night, its last attempt and why it failed,\n"
        "and how much is unknown.",
        examples=("auditor status", "auditor status --max-age 26h --format json"),
        more=manual.STATUS_STATUSES,
    )

    max_age: Annotated[
        timedelta, Option("how old a complete night may be (default: 26h)", "26h", words.age)
    ] = timedelta(hours=26)


class Report(Configured, frozen=True, kw_only=True):
    """`auditor report`."""

    page = HelpPage(
        name="report",
        line="one self-contained HTML file",
        text="Writes a report that needs nothing but a browser.",
        examples=("auditor report --out report.html", "auditor report --mask > report.html"),
    )

    snapshot: Annotated[
        str | None, Option("default: the newest of each partner", "ID", words.snapshot)
    ] = None
    out: Annotated[Path | None, Option("default: - (stdout)", "FILE", words.path)] = None
    mask: Annotated[
        bool, Option("hide the identity of customers, so that the report can be shared")
    ] = False


class Sql(RowsCommand, frozen=True, kw_only=True):
    """`auditor sql`."""

    page = HelpPage(
        name="sql",
        line="read-only SQL over the store",
        text="Runs one SQL statement on the store. It can read the store's relations and views,\n"
        "and nothing else.",
        examples=(
            'auditor sql "SELECT verdict, count(*) FROM latest_inventory GROUP BY 1"',
            "auditor sql - --format csv < query.sql",
        ),
    )

    query: Annotated[
        str, Option("one statement; - reads it from stdin", "QUERY", is_positional=True)
    ]


class DbUpgrade(Configured, frozen=True, kw_only=True):
    """`auditor db upgrade`."""

    page = HelpPage(
        name="db upgrade",
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
