"""The command line: what it accepts, and how it reports what it does not accept."""

import json
import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.cli import commands, snapshot_commands
from auditor.cli.catalog import PAGES, below
from auditor.cli.commands import Parsed, Text
from auditor.cli.manual import EXIT_STATUSES
from auditor.cli.parse import parse
from auditor.cli.shared_options import Command, Format
from auditor.errors import UsageError
from auditor.log import LogFormat
from auditor.model import ChangeKind

GUID = "ABCDEF00-0000-4000-8000-000000000001"

AIRFLOW = "scheduled__2026-12-01T02:15:00+00:00"


def parsed(*words: str) -> Parsed:
    return parse(words, "1.2.3")


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("demo", commands.Demo()),
        ("demo --out x --seed 7", commands.Demo(out=Path("x"), seed=7)),
        ("sandbox", commands.Sandbox()),
        (
            "sandbox --port 0 --seed 2 --faults f.toml --customers 9",
            commands.Sandbox(port=0, seed=2, faults=Path("f.toml"), customers=9),
        ),
        ("init --config a/b.toml", commands.Init(config=Path("a/b.toml"))),
        ("plan --explain", commands.Plan(explain=True)),
        ("run", commands.Run()),
        ("run --resume", commands.Run(resume="")),
        ("run --resume RUN1", commands.Run(resume="RUN1")),
        (f"run --run {AIRFLOW}", commands.Run(run=AIRFLOW)),
        ("run --wait 30m", commands.Run(wait=timedelta(minutes=30))),
        ("run --customers-from -", commands.Run(customers_from=(Path("-"),))),
        ("plan --customers-from c.txt", commands.Plan(customers_from=(Path("c.txt"),))),
        ("run --max-seconds 13500", commands.Run(max_seconds=13500)),
        ("run --report r.json", commands.Run(report=Path("r.json"))),
        ("run --wait 0s", commands.Run()),
        ("run --wait 90s --resume", commands.Run(wait=timedelta(seconds=90), resume="")),
        ("run --resume --trigger cron", commands.Run(resume="", trigger="cron")),
        (
            f"run --customer contoso.com --customer {GUID} --partner a --country de --country FR",
            commands.Run(
                customers=("contoso.com", GUID.lower()),
                partners=("a",),
                countries=("DE", "FR"),
            ),
        ),
        (
            "run --fail-on left_catalog --fail-on left_catalog --format json --quiet --debug",
            commands.Run(
                fail_on=(ChangeKind.LEFT_CATALOG,),
                format=Format.JSON,
                quiet=True,
                debug=True,
            ),
        ),
        ("changes", commands.Changes()),
        ("changes --between A B --by-cause", commands.Changes(between=("A", "B"), by_cause=True)),
        (
            "changes --kind newly_restricted --customer x --out f.xlsx --snapshot 2026-a",
            commands.Changes(
                kinds=(ChangeKind.NEWLY_RESTRICTED,),
                customer="x",
                out=Path("f.xlsx"),
                snapshot="2026-a",
            ),
        ),
        ("changes --since 7d", commands.Changes(since=timedelta(days=7))),
        ("changes --since 2026-11-22", commands.Changes(since=date(2026, 11, 22))),
        (
            "changes --partner N --country de --region JapanWest --sku dzh318z0bq3q:000s",
            commands.Changes(
                partner="N", country="DE", region="japanwest", sku="DZH318Z0BQ3Q:000S"
            ),
        ),
        ("snapshots", snapshot_commands.SnapshotsList()),
        ("snapshots --format csv", snapshot_commands.SnapshotsList(format=Format.CSV)),
        ("snapshots list --config c", snapshot_commands.SnapshotsList(config=Path("c"))),
        ("snapshots show ID1", snapshot_commands.SnapshotsShow(snapshot="ID1")),
        (
            "snapshots show ID1 --quarantine",
            snapshot_commands.SnapshotsShow(snapshot="ID1", quarantine=True),
        ),
        ("snapshots verify ID1", snapshot_commands.SnapshotsVerify(snapshot="ID1")),
        ("snapshots prune --keep 90d", snapshot_commands.SnapshotsPrune(keep_days=90)),
        (
            "snapshots forget --customer contoso.com --apply",
            snapshot_commands.SnapshotsForget(customer="contoso.com", apply=True),
        ),
        (
            "snapshots export --to-delta s3://b/a",
            snapshot_commands.SnapshotsExport(to_delta="s3://b/a"),
        ),
        (
            "snapshots prune --keep 0d --apply",
            snapshot_commands.SnapshotsPrune(keep_days=0, apply=True),
        ),
        ("sql SELECT", commands.Sql(query="SELECT")),
        ("sql - --format markdown", commands.Sql(query="-", format=Format.MARKDOWN)),
        ("db upgrade --config c", commands.DbUpgrade(config=Path("c"))),
        ("report --mask --out r.html", commands.Report(mask=True, out=Path("r.html"))),
        ("report --log-format json", commands.Report(log_format=LogFormat.JSON)),
    ],
)
def test_words_become_a_command(words: str, command: Command) -> None:
    assert parsed(*words.split(" ")) == command


def test_a_query_may_begin_with_a_comment() -> None:
    query = "-- all of it\nSELECT 1"
    assert parsed("sql", query) == commands.Sql(query=query)


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ("runn", "no command 'runn'", "`run`"),
        ("nonsense", "no command 'nonsense'", "run"),
        ("--quiet run", "--quiet stands before the command", "auditor run --quiet"),
        ("snapshots lst", "no command 'snapshots lst'", "`list`"),
        ("db", "a command is missing", "upgrade"),
        ("db upgade", "no command 'db upgade'", "`upgrade`"),
        ("run --custmer x", "no option --custmer", "`--customer`"),
        ("run --custmer=x", "no option --custmer", "`--customer`"),
        ("run --cust x", "no option --cust", ""),
        ("run --explain", "no option --explain", "`auditor run --help`"),
        ("run -x", "no option -x", "--help"),
        ("run again", "unexpected argument 'again'", "--help"),
        ("run --customer", "--customer: expected one argument", "--help"),
        ("run --customer=", "--customer: '' is not a name", ""),
        ("run --fail-on newly-restricted", "did you mean newly_restricted?", ""),
        ("run --run .hidden", "'.hidden' is not the id of a run: a run id has up to 200", ""),
        ("run --run ../x", "is not the id of a run", ""),
        (f"run --run {'x' * 201}", "is not the id of a run", ""),
        ("run --run x --resume", "not allowed with", ""),
        ("run --run x --resume x", "not allowed with", ""),
        ("changes --since 7", "'7' is not an age or a date, as in 26h, 7d or 2026-11-22", ""),
        ("changes --since 7d --snapshot A", "not allowed with argument --since", ""),
        ("changes --sku 0011", "'0011' is not a SKU, as in DZH318Z0BQ3Q:0011", ""),
        ("changes --subscription x", "'x' is not the id of an Azure subscription", ""),
        ("run --wait 30", "'30' is not a duration, as in 90s, 30m or 2h", ""),
        ("run --max-seconds 0", "'0' is not a whole number from 1", ""),
        ("run --max-seconds 2h", "is not a whole number", ""),
        ("run --wait 1h30m", "is not a duration", ""),
        ("run --wait -1s", "expected one argument", ""),
        ("run --format yaml", "'yaml' is not known", ""),
        ("run --log-format xml", "'xml' is not known", ""),
        ("snapshots prune", "required: --keep", ""),
        ("snapshots forget --apply", "required: --customer", ""),
        ("snapshots prune --kep 90d", "no option --kep", "`--keep`"),
        ("snapshots prune --keep 90", "as in 90d", ""),
        ("snapshots prune --keep -1d", "expected one argument", ""),
        ("snapshots show", "required: ID", ""),
        ("snapshots show ../../x", "is not the id of a snapshot", ""),
        ("changes --snapshot A --between B C", "not allowed with", ""),
        ("changes --out x.csv", "must end in .xlsx", ""),
        ("sandbox --port 99999", "'99999' is not a whole number from 0 to 65535", ""),
        ("demo --seed x", "'x' is not a whole number from", ""),
        ("demo --config x", "no option --config", ""),
        ("sql", "required: QUERY", ""),
    ],
)
def test_a_usage_error_names_the_mistake_and_the_nearest_valid_word(
    words: str, message: str, hint: str
) -> None:
    """P33: the status is 64, and the parser never prints its whole usage."""
    with pytest.raises(UsageError) as caught:
        parsed(*words.split(" "))
    assert caught.value.exit_status == 64
    assert caught.value.error_code == "E_USAGE"
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.hint


@given(st.lists(st.text() | st.sampled_from([*PAGES, "--config", "--format", "-", "--", "-h"])))
def test_any_words_give_a_command_or_a_usage_error(words: list[str]) -> None:
    try:
        assert parse(words, "1.2.3") is not None
    except UsageError as error:
        assert error.hint  # noqa: PT017 - either way is fine, a crash is not


class TestHelp:
    def test_without_a_command_it_names_every_command(self) -> None:
        for words in ([], ["--help"], ["-h"], ["help"]):
            help_text = parsed(*words)
            assert isinstance(help_text, Text)
            for name in PAGES:
                assert re.search(rf"^    {name} ", help_text.text, re.MULTILINE)

    def test_the_version_is_one_line(self) -> None:
        assert parsed("--version") == Text("auditor 1.2.3\n")

    @pytest.mark.parametrize(
        "words",
        [[name] for name in PAGES] + [["snapshots", action] for action in below("snapshots")],
    )
    def test_each_command_has_a_page_with_an_example_that_works(self, words: list[str]) -> None:
        page = parsed(*words, "--help")
        assert isinstance(page, Text)
        assert parsed("help", *words) == page or len(words) > 1
        assert page.text.startswith(f"usage: auditor {' '.join(words)}")
        assert "None" not in page.text
        examples = re.findall(r"^    auditor (.*)$", page.text, re.MULTILINE)
        assert examples
        for example in examples:
            parse(_words_of(example), "1.2.3")

    def test_run_lists_the_exit_statuses(self) -> None:
        page = parsed("run", "--help")
        assert isinstance(page, Text)
        assert EXIT_STATUSES in page.text
        listed = {
            int(number) for number in re.findall(r"\b(\d+) {2,}|\b(?=143)", page.text) if number
        }
        assert listed >= {0, 3, 10, 64, 65, 66, 69, 70, 73, 74, 75, 76, 77, 78, 130}

    def test_help_is_shown_after_an_unknown_option(self) -> None:
        assert isinstance(parsed("run", "--nonsense", "--help"), Text)


def _words_of(example: str) -> list[str]:
    """Split an example as a shell would, and drop its redirections."""
    words = [json.loads(w) if w[0] == '"' else w for w in re.findall(r'"[^"]*"|\S+', example)]
    for stop in (">", "<"):
        if stop in words:
            words = words[: words.index(stop)]
    return words
