"""cron mails the output of its line: nothing after a good night, the reason after any other."""

import asyncio
import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders.another_partner_center import (
    TOKEN,
    AnotherPartnerCenter,
    another_partner_center,
    config,
)
from tests.builders.exit_table import STATUSES, cell

PROJECT = Path(__file__).parents[2]
JOBS = PROJECT / "jobs" / "cron"
LINES = (JOBS / "auditor.cron").read_text("utf-8").splitlines()
OTHER = "aaaaaaaa-0000-4000-8000-000000000002"


def command() -> str:
    """Return the command of the cron line, after the five times and the user."""
    [line] = [line for line in LINES if line and line[0].isdigit()]
    return line.split(maxsplit=6)[6]


def night(folder: Path, **environ: str) -> tuple[int, str]:
    """Run the line as cron does, in the test's folder; return exit status and mail."""
    shutil.copytree(PROJECT / "jobs", folder / "jobs")
    ran = subprocess.run(
        ["/bin/sh", "-c", command().replace("/srv/audit", shlex.quote(str(folder)))],
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "LOGNAME": "auditor"} | environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout


def install(folder: Path, script: str) -> None:
    """Install a script as the command that the line runs."""
    path = folder / ".venv" / "bin" / "auditor"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_the_line_names_who_is_mailed_and_redirects_nothing() -> None:
    assert any(line.startswith("MAILTO=") for line in LINES)
    assert ">" not in command()
    assert "%" not in command()  # cron's line break


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_but_0_and_10_is_mailed_with_its_reason(tmp_path: Path, status: int) -> None:
    install(
        tmp_path,
        'echo "error[E_ODD]: it went oddly" >&2; echo "hint: look" >&2; echo "a summary"\n'
        f"exit {status}",
    )
    ended, mail = night(tmp_path)
    assert ended == status
    assert bool(mail) is cell(status, "cron").startswith("mail")
    if mail:
        assert f"ended with {status}: " in mail
        assert "error[E_ODD]: it went oddly\nhint: look\n" in mail
        assert "a summary" in mail


def test_a_missing_command_is_mailed(tmp_path: Path) -> None:
    ended, mail = night(tmp_path)
    assert ended == 127
    assert "the command cannot be started" in mail


def test_a_missing_folder_is_mailed(tmp_path: Path) -> None:
    ran = subprocess.run(
        ["/bin/sh", "-c", command().replace("/srv/audit", str(tmp_path / "gone"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode != 0
    assert "gone" in ran.stderr


def write(folder: Path, text: str) -> None:
    (folder / "auditor.toml").write_text(text)


def complete(folder: Path, center: AnotherPartnerCenter) -> None:
    write(folder, config(center.base_url))


def one_of_two(folder: Path, center: AnotherPartnerCenter) -> None:
    write(folder, config(center.base_url) + config(center.base_url, "other", OTHER))


def only_refused(folder: Path, center: AnotherPartnerCenter) -> None:
    write(folder, config(center.base_url, "other"))


def no_secret(folder: Path, center: AnotherPartnerCenter) -> None:
    write(folder, config(center.base_url, "forgotten"))


def no_file(folder: Path, center: AnotherPartnerCenter) -> None:
    del folder, center


@pytest.mark.parametrize(
    ("configure", "status", "expected"),
    [
        (complete, 0, []),
        (one_of_two, 3, ["published, but incomplete", "other", "not published"]),
        (only_refused, 77, ["error[E_AUTH]", "hint: "]),
        (no_secret, 78, ["error[E_SECRET_MISSING]", "FORGOTTEN_TOKEN"]),
        (no_file, 66, ["error[E_CONFIG_MISSING]"]),
    ],
)
@pytest.mark.asyncio
async def test_the_real_command_mails_the_reason(
    tmp_path: Path,
    configure: Callable[[Path, AnotherPartnerCenter], None],
    status: int,
    expected: list[str],
) -> None:
    project = shlex.quote(str(PROJECT))
    install(tmp_path, f'PYTHONPATH={project} exec {shlex.quote(sys.executable)} -m auditor "$@"')
    async with another_partner_center() as center:
        configure(tmp_path, center)
        ended, mail = await asyncio.to_thread(
            night, tmp_path, CONTOSO_TOKEN=TOKEN, OTHER_TOKEN="not-the-right-one-at-all"
        )
    assert ended == status, mail
    assert bool(mail) is bool(expected), mail
    assert all(text in mail for text in expected), mail
    assert TOKEN not in mail


def test_the_script_is_executable() -> None:
    assert os.access(JOBS / "nightly.sh", os.X_OK)
