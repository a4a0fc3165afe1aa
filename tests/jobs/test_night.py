"""What jobs/container/night.sh tells the scheduler of a container, run by a real shell."""

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.another_partner_center import TENANT, TOKEN, another_partner_center, config
from tests.builders.exit_table import PROJECT, STATUSES

NIGHT = PROJECT / "jobs" / "container" / "night.sh"


def environ(folder: Path, script: str) -> dict[str, str]:
    """Install a script as `auditor`, and return the environment that finds it."""
    path = folder / "auditor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def night(folder: Path, scheduler: str, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", NIGHT, scheduler, "--partner", "a b"],
        env=environ(folder, script),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("scheduler", ["kubernetes", "container-apps"])
def test_the_last_line_says_how_the_run_ended(tmp_path: Path, scheduler: str, status: int) -> None:
    script = f'for last; do :; done; echo "$last"; echo "error[E_ODD]: odd" >&2; exit {status}'
    ran = night(tmp_path, scheduler, script)
    assert ran.stdout == "a b\n"
    last = ran.stderr.splitlines()[-1]
    assert f"auditor run ended with {status}: " in last
    assert last.startswith("alert: ") is (status not in {0, 10})


@pytest.mark.parametrize("status", STATUSES)
def test_kubernetes_sees_each_status_of_a_failure(tmp_path: Path, status: int) -> None:
    ended = night(tmp_path, "kubernetes", f"exit {status}").returncode
    assert ended == (0 if status in {0, 10} else status)


def test_a_killed_run_ends_with_137(tmp_path: Path) -> None:
    assert night(tmp_path, "kubernetes", "kill -9 $$").returncode == 137


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("scheduler", "tokens", "status", "said"),
    [
        ("kubernetes", {"CONTOSO_TOKEN": TOKEN}, 3, "alert: auditor run ended with 3: published"),
        ("container-apps", {"CONTOSO_TOKEN": TOKEN}, 0, "alert: auditor run ended with 3: "),
        ("container-apps", {}, 0, "alert: auditor run ended with 78: nothing was asked"),
    ],
)
async def test_the_real_command_ends_so(
    tmp_path: Path, scheduler: str, tokens: dict[str, str], status: int, said: str
) -> None:
    """One of two partners has no secret, or both have none."""
    set_up = environ(tmp_path, f'exec {shlex.quote(sys.executable)} -m auditor "$@"')
    async with another_partner_center() as center:
        text = config(center.base_url) + config(center.base_url, "other", TENANT.replace("1", "2"))
        (tmp_path / "auditor.toml").write_text(text)
        ran = await asyncio.to_thread(
            subprocess.run,
            ["/bin/sh", str(NIGHT), scheduler, "--trigger", "test"],
            env=set_up
            | tokens
            | {"PYTHONPATH": str(PROJECT), "HOME": str(tmp_path)}
            | {"CONTAINER_APP_JOB_EXECUTION_NAME": "auditor-2dhqsk1"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == status, ran.stderr
    assert ran.stderr.splitlines()[-1].startswith(said)
    assert "error[E_SECRET_MISSING]" in ran.stderr


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("times", [1, 2])
def test_a_stop_reaches_the_run_and_its_end_is_waited_for(
    tmp_path: Path, sent: signal.Signals, times: int
) -> None:
    """The run ends by itself after the last of the signals."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    script = (
        f"left={times}; trap 'left=$((left - 1)); echo stopped > {shlex.quote(str(pipe))}' TERM\n"
        f"echo ready > {shlex.quote(str(pipe))}\n"
        "while [ $left -gt 0 ]; do sleep 0.01; done; echo written; exit 143"
    )
    process = subprocess.Popen(
        ["/bin/sh", NIGHT, "kubernetes", "--wait", "30m"],
        env=environ(tmp_path, script),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert pipe.read_text() == "ready\n"
    for _ in range(times):
        process.send_signal(sent)
        assert pipe.read_text() == "stopped\n"
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (143, "written\n")
    assert "ended with 143: stopped or killed" in stderr
