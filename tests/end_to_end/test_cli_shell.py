"""The command itself: help, streams, signals, and lazy imports."""

import asyncio
import io
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor import __version__
from auditor.cli.catalog import PAGES
from auditor.cli.shell import main
from tests.builders.another_partner_center import TOKEN, another_partner_center, config

COMMAND = [sys.executable, "-m", "auditor"]
HEAVY = {"pandas", "pyarrow", "duckdb", "aiohttp", "sqlalchemy", "rich", "jinja2", "numpy", "yarl"}


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "words", [[], ["--help"], ["--version"], *([name, "--help"] for name in PAGES)]
)
def test_help_is_on_stdout_and_exits_with_0(words: list[str], tmp_path: Path) -> None:
    ran = run(*words, cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    assert run("--version", cwd=tmp_path).stdout == f"auditor {__version__}\n"


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["run", "--nonsense"], ["run"], ["init"]]
)
def test_nothing_heavy_is_loaded_before_it_is_needed(words: list[str], tmp_path: Path) -> None:
    """Help is printed at once: slow modules are imported only by the commands that need them."""
    code = (
        "import os, sys; from auditor.cli.shell import main;"
        "main(sys.argv[1:], os.environ, sys.stdin, sys.stdout, sys.stderr);"
        "print('LOADED', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(re.findall(r"^LOADED (.*)$", ran.stdout, re.MULTILINE)[0].split())
    assert "auditor" in loaded
    assert not loaded & HEAVY


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    """`auditor --help | head -0`."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = subprocess.run(
            [*COMMAND, "run", "--help"],
            stdout=writing,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            check=False,
        )
    finally:
        os.close(writing)
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_stdout_is_74(tmp_path: Path) -> None:
    """P30."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ran = subprocess.run(
            [*COMMAND, "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            check=False,
        )
    assert ran.returncode == 74
    assert ran.stderr.splitlines()[0] == "error[E_IO]: No space left on device"
    assert len(ran.stderr.splitlines()) == 2


@pytest.mark.parametrize(("closed", "status"), [("--help >&-", 0), ("runn 2>&-", 64)])
def test_a_closed_standard_stream_causes_no_crash(closed: str, status: int, tmp_path: Path) -> None:
    ran = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m auditor {closed}'],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr, ran.stdout) == (status, b"", b"")


def test_written_files_are_readable_by_the_owner_alone(tmp_path: Path) -> None:
    """S12: the umask is 077, whatever the caller's umask is."""
    ran = run("init", cwd=tmp_path)
    assert ran.returncode == 0
    assert ran.stdout == ""
    assert stat.S_IMODE((tmp_path / "auditor.toml").stat().st_mode) == 0o600


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        ["env", "--default-signal", *COMMAND, "sandbox", "--port", "0", "--customers", "2"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("signum", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143)],
)
def test_a_signal_ends_the_command_with_its_status(
    sandbox: "subprocess.Popen[str]", signum: signal.Signals, status: int
) -> None:
    """P29 and P33."""
    sandbox.send_signal(signum)
    _, err = sandbox.communicate()
    assert sandbox.returncode == status
    assert f"error[E_STOPPED]: stopped by {signum.name}" in err
    assert "Traceback" not in err


INTERRUPTED = """
import os, signal, sys
from importlib.abc import MetaPathFinder

class Interrupt(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "auditor.cli":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from auditor.__main__ import run
run()
"""


def test_an_interrupt_during_startup_shows_no_traceback() -> None:
    """P33."""
    ended = subprocess.run(
        ["env", "--default-signal", sys.executable, "-c", INTERRUPTED],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, "")  # 130 to a shell


LOADED = """
import atexit, sys
from auditor.__main__ import run
atexit.register(lambda: print("pandas" in sys.modules, "pyarrow" in sys.modules, file=sys.stderr))
run()
"""


@pytest.mark.asyncio
async def test_neither_run_nor_report_loads_pandas(tmp_path: Path) -> None:
    """Pandas takes a tenth of a run's memory, and a third of a small command's time."""
    async with another_partner_center() as center:
        (tmp_path / "auditor.toml").write_text(config(center.base_url))
        for words in (["run"], ["report", "--out", "report.html"]):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", LOADED, *words, "--quiet"),
                cwd=tmp_path,
                env=os.environ | {"CONTOSO_TOKEN": TOKEN, "XDG_STATE_HOME": str(tmp_path)},
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            _, stderr = await process.communicate()
            assert (process.returncode, stderr) == (0, b"False True\n")


class TestInProcess:
    def test_it_returns_and_never_exits(self, tmp_path: Path) -> None:
        for words, status in (
            (["--version"], 0),
            (["runn"], 64),
            (["run", "--config", str(tmp_path / "no")], 66),
        ):
            out, err = io.StringIO(), io.StringIO()
            assert main(words, {}, io.StringIO(), out, err) == status
            assert bool(out.getvalue()) is (status == 0)
            assert bool(err.getvalue()) is (status != 0)

    def test_the_umask_is_restored(self) -> None:
        before = os.umask(0o022)
        try:
            main(["--version"], {}, io.StringIO(), io.StringIO(), io.StringIO())
            assert os.umask(0o022) == 0o022
        finally:
            os.umask(before)
