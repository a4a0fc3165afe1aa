"""The job of Azure Container Apps: its exit statuses, and the command that it starts."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor.cli import commands
from auditor.cli.parse import parse
from auditor.version import __version__
from tests.builders import containerfile
from tests.builders.exit_table import PROJECT, STATUSES, cell

JOB = yaml.safe_load((PROJECT / "jobs" / "container_apps" / "job.yaml").read_text("utf-8"))
CONFIGURATION = JOB["properties"]["configuration"]
TEMPLATE = JOB["properties"]["template"]
[CONTAINER] = TEMPLATE["containers"]
EXECUTION = "auditor-2dhqsk1"


def night(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run the job's command with a script as `auditor`."""
    command = folder / "auditor"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o700)
    start, scheduler = CONTAINER["command"]
    return subprocess.run(
        [start.replace("/opt/auditor", str(PROJECT)), scheduler, *CONTAINER["args"]],
        env={"PATH": f"{folder}:/usr/bin:/bin", "CONTAINER_APP_JOB_EXECUTION_NAME": EXECUTION},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_is_treated_as_the_table_says(tmp_path: Path, status: int) -> None:
    """Container Apps retries each status but 0; the other failures have a line for an alert."""
    ran = night(tmp_path, f"exit {status}")
    treated = "retried" if ran.returncode else "succeeded"
    said = cell(status, "Container Apps")
    assert treated == re.split(r"[;, ]", said)[0]
    assert ran.stderr.startswith("alert: ") is (status not in {0, 10})
    assert ("`alert:`" in said) is (treated == "succeeded" and ran.stderr.startswith("alert: "))
    if ran.returncode:
        assert ran.returncode == status


def test_the_program_accepts_the_command_and_each_try_has_the_same_run(tmp_path: Path) -> None:
    words = night(tmp_path, 'printf "%s\\n" "$@"').stdout.splitlines()
    parsed = parse(words, __version__)
    assert isinstance(parsed, commands.Run)
    assert parsed.run == EXECUTION
    assert parsed.max_seconds is not None
    assert parsed.max_seconds <= CONFIGURATION["replicaTimeout"] - 1800


def test_what_the_job_names_is_there() -> None:
    secrets = {each["name"] for each in CONFIGURATION["secrets"]}
    assert {each["secretRef"] for each in CONTAINER["env"] if "secretRef" in each} == secrets
    [mount] = CONTAINER["volumeMounts"]
    assert mount["volumeName"] in {each["name"] for each in TEMPLATE["volumes"]}
    assert mount["mountPath"] == containerfile.value("WORKDIR")


def test_the_job_has_the_fields_that_container_apps_requires() -> None:
    """The lists of the API's reference, version 2025-01-01."""
    assert {"triggerType", "replicaTimeout", "scheduleTriggerConfig"} <= CONFIGURATION.keys()
    assert CONFIGURATION["triggerType"] == "Schedule"
    sizes: Any = CONTAINER["resources"]
    assert sizes["memory"] == f"{sizes['cpu'] * 2:g}Gi"  # the only sizes of a consumption plan
