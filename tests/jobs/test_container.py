"""What can be checked of the image without building it; `make container` does its steps."""

import os
import re
import shlex
from pathlib import Path

import pytest

from auditor.cli.parse import parse
from auditor.version import __version__
from tests.builders import containerfile
from tests.builders.containerfile import PROJECT, steps

RUNS = " && ".join(step.rest for step in steps() if step.word == "RUN")
JOBS = PROJECT / "jobs" / "container"


def test_the_image_installs_by_hash_and_builds_nothing_but_the_auditor() -> None:
    """S16."""
    installs = [line for line in RUNS.split(" && ") if "pip install" in line]
    locked, own = installs
    assert {"--require-hashes", "--no-deps", "--only-binary", ":all:"} <= set(shlex.split(locked))
    assert locked.endswith("-r /build/requirements.lock")
    assert {"--no-deps", "--no-build-isolation", "--no-index"} <= set(shlex.split(own))


def test_what_is_copied_exists_and_is_enough_to_build_the_auditor() -> None:
    copied = {
        source for step in steps() if step.word == "COPY" for source in step.rest.split()[:-1]
    }
    assert all((PROJECT / source).exists() for source in copied)
    project = (PROJECT / "pyproject.toml").read_text("utf-8")
    needed = re.findall(r'^(?:readme = "|license-files = \[")(.*?)"', project, re.MULTILINE)
    assert {"pyproject.toml", "auditor", "sql", *needed} <= copied


def test_the_image_has_a_user_without_rights_whose_number_is_known() -> None:
    """Kubernetes can verify runAsNonRoot only for a number."""
    user, group = containerfile.value("USER").split(":")
    assert int(user) == int(group) != 0
    assert f"useradd --uid {user} " in RUNS


def test_the_image_starts_the_command() -> None:
    assert containerfile.entry_point() == ["auditor"]
    assert containerfile.environment()["PATH"].startswith("/opt/auditor/bin:")
    assert parse(["run"], __version__) is not None


def test_the_steps_copy_as_an_image_does(tmp_path: Path) -> None:
    """A folder's content goes into the target, a file under its name."""
    containerfile.copy(tmp_path, "sql /build/sql/")
    containerfile.copy(tmp_path, "LICENSE README.md /build/")
    assert (tmp_path / "build" / "sql" / "columns.toml").exists()
    assert (tmp_path / "build" / "LICENSE").exists()


@pytest.mark.parametrize("script", ["night.sh"])
def test_the_scripts_can_be_started(script: str) -> None:
    assert os.access(JOBS / script, os.X_OK)
