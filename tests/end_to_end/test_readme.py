"""The README's commands and output are those of the program."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from auditor import __version__
from auditor.cli.annotations import EVERY_COMMAND, fields
from auditor.cli.catalog import CLASSES
from auditor.cli.parse import parse

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [
    line.removeprefix("$ ").partition("  #")[0]
    for language, block in BLOCKS
    if language == "console"
    for line in block.splitlines()
]
AUDITOR = re.compile(r"^(\S*/)?auditor ")


def shown_after(comment: str) -> str:
    """Return the block that follows a comment."""
    after = README[README.index(f"<!-- {comment}") :]
    found: list[str] = re.findall(r"```text\n(.*?)```", after, flags=re.DOTALL)
    return found[0]


def output(*words: str, cwd: Path = ROOT) -> str:
    command = [sys.executable, "-m", "auditor", *words]
    environ = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, check=True, timeout=110
    )
    return done.stdout


def stable_lines(text: str) -> list[str]:
    """Return lines without the parts that differ from run to run."""
    lines = (
        re.sub(r"\d{4}-\d\d-\d\d", "DAY", re.sub(r"\d+ seconds", "N seconds", line)).rstrip()
        for line in text.splitlines()
    )
    return [line for line in lines if line]


def test_the_shown_help_is_current() -> None:
    assert stable_lines(shown_after("the output of `auditor --help`")) == stable_lines(
        output("--help")
    )


def test_the_shown_demo_output_is_current(tmp_path: Path) -> None:
    shown = stable_lines(shown_after("the output of `auditor demo --seed 1`"))
    assert (
        stable_lines(output("demo", "--out", "demo", "--seed", "1", cwd=tmp_path))[: len(shown)]
        == shown
    )
    affected = stable_lines(shown_after("the output of `auditor affected`"))
    asked = ("--size", "Standard_D8s_v3", "--region", "japanwest", "--term", "P1Y")
    found = stable_lines(output("affected", *asked, cwd=tmp_path / "demo"))
    assert found[: len(affected)] == affected


def test_each_question_of_the_morning_is_a_command() -> None:
    table = README[README.index("| question | command |") :].partition("\n\n")[0]
    commands = re.findall(r"`(auditor [^`]*)`", table)
    assert len(commands) == 8
    for command in commands:
        assert parse(shlex.split(command)[1:], __version__) is not None


@pytest.mark.parametrize("command", [c for c in COMMANDS if AUDITOR.match(c)])
def test_the_program_accepts_each_command(command: str) -> None:
    assert parse(shlex.split(command)[1:], __version__) is not None


def test_each_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^\$ |`)make ([a-z-]+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_two_commands_do_what_ci_does() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert {"make demo", "make test"} <= set(COMMANDS)


def test_each_exit_status_is_in_the_help_of_run() -> None:
    """Each number in the README's table is also in `auditor run --help`."""
    table = README[README.index("| exit |") : README.index("From cron")]
    help_text = output("run", "--help")
    rows = [line for line in table.splitlines()[2:] if line.startswith("|")]
    numbers = {number for row in rows for number in re.findall(r"\d+", row.split("|")[1])}
    numbers -= {"137"}  # SIGKILL: the process cannot set this status
    assert all(re.search(rf"\b{number}\b", help_text) for number in numbers)


def test_the_program_accepts_the_cron_command() -> None:
    script = (ROOT / "jobs" / "cron" / "nightly.sh").read_text(encoding="utf-8")
    [line] = [line for line in script.splitlines() if line.startswith('"$auditor" ')]
    words = shlex.split(line.replace('"$@"', "").partition(" > ")[0])
    assert parse(words[1:], __version__) is not None


def test_the_table_of_commands_is_made_from_their_classes() -> None:
    """A flag is defined once, on the class of its command; the table lists these flags."""
    assert table_of_commands() in README


def table_of_commands() -> str:
    """Return the README's table of commands with their own options."""
    rows = ["| command | options of its own |", "|---|---|"]
    for name, command in CLASSES.items():
        own = [field for field in fields(command) if field.option.heading != EVERY_COMMAND]
        words = [field.flag for field in own if field.option.is_positional]
        flags = [f"`{field.flag}`" for field in own if not field.option.is_positional]
        shown = " ".join(["auditor", name, *(word.upper() for word in words)])
        rows.append(f"| `{shown}` | {', '.join(flags)} |")
    return "\n".join(rows)
