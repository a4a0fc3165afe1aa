"""The demo leaves the promised files, and the commands that it prints work."""

import asyncio
import io
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.cli.demo import demo, invocation
from auditor.cli.shell import main
from auditor.errors import StoreUnwritable
from auditor.log import Events, LogFormat
from auditor.store import open_store

GOLDEN = Path(__file__).parent.parent / "golden" / "demo.txt"
COMMAND = (sys.executable, "-m", "auditor")
PROMISED = {"auditor.toml", "lake", "state", "report.html"}


def now() -> datetime:
    """Return the wall-clock time, which the replies carry too."""
    return datetime.now(UTC)


def show(out: Path, seed: int = 1) -> tuple[str, str]:
    """Run a demo of a small world; return its stdout and stderr."""
    stdout, stderr = io.StringIO(), io.StringIO()
    events = Events(stderr, LogFormat.CONSOLE, is_quiet=False, now=now)
    asyncio.run(
        demo(
            out,
            seed,
            stdout=stdout,
            events=events,
            now=now,
            command=COMMAND,
            customers=20,
            width=80,
        )
    )
    return stdout.getvalue(), stderr.getvalue()


def commands(text: str, of: str) -> list[list[str]]:
    """Return the commands below a heading, split into words, without `auditor`."""
    lines = text[text.index(of) :].split("\n\n", maxsplit=1)[0].splitlines()
    calls = [line.strip() for line in lines if line.strip().startswith(COMMAND[0])]
    return [shlex.split(line)[len(COMMAND) :] for line in calls]


def typed(words: list[str]) -> "subprocess.CompletedProcess[str]":
    environ = {name: value for name, value in os.environ.items() if "AUDITOR" not in name}
    return subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, check=False, env=environ
    )


class Shown:
    def __init__(self, out: Path) -> None:
        self.out = out
        self.text, self.log = show(out)
        self.untouched = shutil.copytree(out, out.with_name("untouched"))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return Shown(tmp_path_factory.mktemp("made") / "demo")


def test_the_demo_leaves_the_promised_files(shown: Shown) -> None:
    assert {path.name for path in shown.out.iterdir()} >= PROMISED
    tokens = list((shown.out / "tokens").iterdir())
    assert tokens
    assert {stat.S_IMODE(path.stat().st_mode) for path in tokens} == {0o600}
    assert "What customers can no longer buy" in (shown.out / "report.html").read_text()


def test_two_nights_are_a_day_apart(shown: Shown) -> None:
    snapshots = open_store(str(shown.out / "lake")).snapshots().to_pylist()
    days = [one["started_at"] for one in snapshots]
    assert days[0] == days[1]
    assert days[2] == days[3]
    assert timedelta(days=1) <= days[2] - days[0] < timedelta(days=1, hours=1)
    assert {one["status"] for one in snapshots} == {"complete"}
    assert sum(one["changes"] for one in snapshots[2:]) > 0


def test_its_summary_is_the_golden_one(shown: Shown) -> None:
    """Compare without seconds and paths; REWRITE_GOLDEN=1 rewrites the file."""
    summary = shown.text[: shown.text.index("Where it lies")]
    text = re.sub(r"\d+ seconds", "N seconds", summary)
    text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    if os.environ.get("REWRITE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_it_prints_its_progress(shown: Shown) -> None:
    assert "night.started night=2" in shown.log
    assert shown.log.count("snapshot.published") == 4


def test_the_printed_commands_work(shown: Shown) -> None:
    printed = commands(shown.text, "What to type next")
    assert {words[0] for words in printed} == {"changes", "snapshots", "sql", "report"}
    for words in printed:
        ran = typed(words)
        assert ran.returncode == 0, (words, ran.stderr)
        assert ran.stdout or "report" in words


@pytest.fixture
def sandbox(shown: Shown) -> Iterator[str]:
    """The sandbox started by the printed command, on a free port."""
    words = commands(shown.text, "To audit night 3")[0]
    port = words[words.index("--port") + 1]
    assert f"127.0.0.1:{port}" in (shown.out / "auditor.toml").read_text()
    words[words.index("--port") + 1] = "0"
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield running.stdout.readline().strip()
        running.terminate()


def test_a_third_night_is_audited_with_the_printed_commands(shown: Shown, sandbox: str) -> None:
    assert "--night 3" in shown.text
    config = shown.out / "third.toml"
    text = (shown.out / "auditor.toml").read_text()
    config.write_text(re.sub(r"http://127.0.0.1:\d+", sandbox, text))
    words = commands(shown.text, "To audit night 3")[1]
    assert words[0] == "run"
    ran = typed([config.as_posix() if "auditor.toml" in word else word for word in words])
    assert ran.returncode == 0, ran.stderr
    assert "What changed" in ran.stdout


def test_the_next_demo_in_its_folder_audits_the_next_night(shown: Shown, tmp_path: Path) -> None:
    assert shown.text.startswith("Nights 1 and 2 of a made-up portfolio")
    shutil.copytree(shown.untouched, tmp_path / "demo")
    before = (tmp_path / "demo" / "auditor.toml").stat().st_mtime_ns
    again, _ = show(tmp_path / "demo")
    assert again.startswith("Night 3 of a made-up portfolio")
    assert "To audit night 4" in again
    assert (tmp_path / "demo" / "auditor.toml").stat().st_mtime_ns == before
    with pytest.raises(StoreUnwritable, match=r"auditor\.toml that this demo did not write"):
        show(tmp_path / "demo", seed=2)


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    stdout, stderr = io.StringIO(), io.StringIO()
    status = main(["demo", "--out", str(tmp_path)], {}, io.StringIO(), stdout, stderr)
    assert status == 73
    assert "error[E_OUTPUT]" in stderr.getvalue()
    assert "letter.txt" in stderr.getvalue()
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_file_in_place_of_its_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("dear")
    with pytest.raises(StoreUnwritable):
        show(tmp_path / "demo")


@pytest.mark.parametrize(
    ("argv0", "expected"),
    [
        ("/home/me/.venv/bin/auditor", (".venv/bin/auditor",)),
        (".venv/bin/auditor", (".venv/bin/auditor",)),
        ("/opt/bin/auditor", ("/opt/bin/auditor",)),
        ("/lib/auditor/__main__.py", (".venv/bin/python", "-m", "auditor")),
    ],
)
def test_printed_commands_begin_as_the_user_called_the_program(
    argv0: str, expected: tuple[str, ...]
) -> None:
    assert invocation(argv0, Path("/home/me"), "/home/me/.venv/bin/python") == expected
