"""A real manager of systemd retries the service and starts its alert as docs/jobs.md says."""

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.builders.exit_table import STATUSES, cell
from tests.builders.systemd_manager import Manager, can_start, manager

JOBS = Path(__file__).parents[2] / "jobs" / "systemd"
KEPT = ("[", "OnFailure=", "StartLimit", "Type=", "SuccessExitStatus=", "Restart")
BURST = 7


def install(running: Manager) -> list[str]:
    """Install the service once for each status, with its own settings but no pause."""
    lines = (JOBS / "auditor.service").read_text("utf-8").splitlines()
    kept = "\n".join(line for line in lines if line.startswith(KEPT))
    kept = kept.replace("RestartSec=10min", "RestartSec=0")
    ends = {str(status): f"exit {status}" for status in STATUSES} | {"killed": "kill -9 $$$$"}
    for name, end in ends.items():
        command = f"ExecStart=/bin/sh -c 'echo ran {name} > {running.notes}; {end}'"
        (running.units / f"night-{name}.service").write_text(f"{kept}\n{command}\n")
    alert = (JOBS / "auditor-alert@.service").read_text("utf-8")
    command = f"ExecStart=/bin/sh -c 'echo alert %i $MONITOR_EXIT_STATUS > {running.notes}'"
    alert = re.sub(r"^ExecStart=.*$", lambda _: command, alert, flags=re.MULTILINE)
    (running.units / "auditor-alert@.service").write_text(alert)
    return list(ends)


@pytest.mark.skipif(not can_start(), reason="no systemd, or no right to mount")
def test_each_status_is_retried_or_alerted_as_the_table_says() -> None:
    with manager() as running:
        names = install(running)
        expected = {name: cell(137 if name == "killed" else int(name), "systemd") for name in names}
        failing = {name for name, said in expected.items() if not said.startswith("success")}
        runs: Counter[str] = Counter()
        alerts: dict[str, str] = {}
        # read and written, so that the pipe stays open while no unit writes
        with os.fdopen(os.open(running.notes, os.O_RDWR), "r") as notes:
            running.systemctl("daemon-reload")
            # Successes first: if one of them were retried, it would have its alert first too.
            for name in sorted(names, key=failing.__contains__):
                running.systemctl("start", "--no-block", f"night-{name}.service")
            while alerts.keys() != failing or runs.keys() != set(names):
                kind, name, *status = notes.readline().split()
                if kind == "ran":
                    runs[name] += 1
                else:
                    alerts[name.removeprefix("night-").removesuffix(".service")] = status[0]
        observed = {
            name: "success" if name not in alerts else "retried" if runs[name] > 1 else "alert"
            for name in names
        }
    assert observed == {name: re.split(r"[;, ]", said)[0] for name, said in expected.items()}
    assert {runs[name] for name in names if observed[name] == "retried"} == {BURST}
    assert alerts == {name: "KILL" if name == "killed" else name for name in failing}
