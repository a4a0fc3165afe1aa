"""The manifests of Kubernetes: their schemas, their exit statuses, and what the pod may do."""

import codecs
import gc
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from auditor.cli import commands
from auditor.cli.parse import parse
from auditor.settings import load, read_secret
from auditor.version import __version__
from tests.builders import containerfile
from tests.builders.exit_table import PROJECT, STATUSES, cell

JOBS = PROJECT / "jobs" / "kubernetes"
MANIFESTS = sorted(JOBS.glob("*.yaml"))
RUNS = ["nightly.yaml", "customer.yaml", "partners.yaml", "parts.yaml"]
OLDEST = "1.33"
"""The first version in which everything that the manifests use is final."""
NIGHT = PROJECT / "jobs" / "container" / "night.sh"
GROUP = 10001


def manifest(name: str) -> Any:  # any YAML
    return yaml.safe_load((JOBS / name).read_text("utf-8"))


def job(name: str) -> Any:  # likewise
    """Return the specification of the job, which may be in a CronJob."""
    spec = manifest(name)["spec"]
    return spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec


def pod(name: str) -> Any:  # likewise
    return job(name)["template"]["spec"]


def container(name: str) -> Any:  # likewise
    [found] = pod(name)["containers"]
    return found


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
def test_each_manifest_fits_the_schema(path: Path, version: str) -> None:
    kubernetes_validate.validate(manifest(path.name), version, strict=True)


def treated(status: int, spec: Any) -> str:
    """Return what Kubernetes does about the exit status of a pod, as its documents say."""
    assert spec["template"]["spec"]["restartPolicy"] == "Never"  # a policy needs it
    if status == 0:
        return "succeeded"
    for rule in spec["podFailurePolicy"]["rules"]:
        codes = rule.get("onExitCodes")
        if codes is None:
            continue
        assert codes["containerName"] == spec["template"]["spec"]["containers"][0]["name"]
        if (status in codes["values"]) is (codes["operator"] == "In"):
            return "retried" if rule["action"] in {"Ignore", "Count"} else "failed"
    return "retried"


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("status", STATUSES)
def test_each_status_is_treated_as_the_table_says(tmp_path: Path, name: str, status: int) -> None:
    command = tmp_path / "auditor"
    command.write_text(f"#!/bin/sh\nexit {status}\n")
    command.chmod(0o700)
    ended = subprocess.run(
        [NIGHT, "kubernetes"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        stderr=subprocess.DEVNULL,
        check=False,
    ).returncode
    said = cell(status, "Kubernetes")
    assert treated(ended, job(name)) == re.split(r"[;, ]", said)[0]


@pytest.mark.parametrize("name", RUNS)
def test_a_pod_whose_node_is_drained_is_replaced_and_not_counted(name: str) -> None:
    first = job(name)["podFailurePolicy"]["rules"][0]
    assert first["action"] == "Ignore"
    assert first["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]


def options(name: str, folder: Path, index: int = 1) -> list[str]:
    """Return the words after `night.sh kubernetes` in a pod of the manifest."""
    found = container(name)
    environ = {each["name"]: each["value"] for each in found["env"] if "value" in each}
    environ |= {"JOB_NAME": "auditor-29403255", "JOB_COMPLETION_INDEX": str(index)}
    words = [re.sub(r"\$\((\w+)\)", lambda m: environ[m[1]], word) for word in found["args"]]
    if found["command"] == ["/opt/auditor/jobs/container/night.sh", "kubernetes"]:
        return words
    assert found["command"] == ["/bin/sh", "-c"]
    (folder / "partners").write_text("contoso-eu\ncontoso us\n")
    night = folder / "night.sh"
    night.write_text("#!/bin/sh\nshift; printf '%s\\n' \"$@\"\n")
    night.chmod(0o700)
    script = found["args"][0].replace("/opt/auditor/jobs/container/night.sh", str(night))
    return subprocess.run(
        ["/bin/sh", "-c", script.replace("/etc/auditor", str(folder))],
        env=environ | {"PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.splitlines()


@pytest.mark.parametrize("name", RUNS)
def test_the_program_accepts_the_command(name: str, tmp_path: Path) -> None:
    parsed = parse(["run", *options(name, tmp_path)], __version__)
    assert isinstance(parsed, commands.Run)
    index = "-1" if name == "partners.yaml" else ""
    assert parsed.run == f"auditor-29403255{index}"
    assert parsed.narrow.partners == (("contoso us",) if name == "partners.yaml" else ())
    assert parsed.max_seconds is not None
    assert parsed.max_seconds <= job(name)["activeDeadlineSeconds"] - 1800


def test_each_part_has_a_pod_and_the_last_pod_publishes(tmp_path: Path) -> None:
    pods = job("parts.yaml")["completions"]
    words = [options("parts.yaml", tmp_path, index) for index in range(pods)]
    parts = [parse(["run", *each], __version__) for each in words[:-1]]
    assert [str(part.narrow.part) for part in parts if isinstance(part, commands.Run)] == [
        f"{number}/{pods - 1}" for number in range(1, pods)
    ]
    publish = parse(words[-1], __version__)
    assert isinstance(publish, commands.Publish)
    assert publish.run == "auditor-29403255"


@pytest.mark.parametrize("name", RUNS)
def test_the_pod_has_no_rights(name: str) -> None:
    assert pod(name)["automountServiceAccountToken"] is False
    context = pod(name)["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    user = f"{context['runAsUser']}:{context['runAsGroup']}"
    assert user == containerfile.value("USER")
    assert container(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = container(name)["volumeMounts"]
    writable = {each["mountPath"] for each in mounts if not each.get("readOnly")}
    assert writable == {"/tmp", containerfile.value("WORKDIR")}  # noqa: S108 - a path in the pod
    assert {each["name"] for each in mounts} == {each["name"] for each in pod(name)["volumes"]}


def test_the_nightly_runs_differ_from_each_other_only_in_what_is_audited() -> None:
    """What holds for one manifest is not forgotten in another one."""
    own = {"command", "args", "env", "volumeMounts"}
    kept = [
        {key: value for key, value in container(name).items() if key not in own} for name in RUNS
    ]
    assert all(each == kept[0] for each in kept)
    assert pod(RUNS[0]) | {"containers": []} == pod(RUNS[1]) | {"containers": []}


def mount(folder: Path, version: str, secret: str) -> None:
    """Put a secret into a volume as the kubelet does: all files change at once, by a rename."""
    data = folder / f"..{version}"
    data.mkdir(mode=0o755)
    file = data / "contoso-secret"
    file.write_text(secret)
    os.chown(file, 0, GROUP)
    file.chmod(pod(RUNS[0])["volumes"][1]["secret"]["defaultMode"])
    (folder / "..data_tmp").symlink_to(data.name)
    (folder / "..data_tmp").rename(folder / "..data")
    link = folder / "contoso-secret"
    if not link.is_symlink():
        link.symlink_to("..data/contoso-secret")


@contextmanager
def user_of_the_pod() -> Iterator[None]:
    """Read with the rights that the pod has.

    What other tests left to the garbage collector, a semaphore say, is root's to remove.
    """
    gc.disable()
    os.setegid(GROUP)
    os.seteuid(GROUP)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        gc.enable()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write the files of root")
def test_a_secret_is_read_as_it_is_mounted_and_when_it_is_replaced() -> None:
    text = (JOBS / "auditor.toml").read_text("utf-8")
    path = re.findall(r'^client_secret = "file:(.*)"$', text, re.MULTILINE)[0]
    assert Path(path).parent.as_posix() == container(RUNS[0])["volumeMounts"][1]["mountPath"]
    codecs.lookup("utf-8-sig")  # the pod's user cannot load it here, where Python may be root's
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for version in ("2026_12_01_02_15_00.1", "2026_12_01_03_00_00.2"):
            mount(folder, version, f"secret of {version}")
            with user_of_the_pod():
                assert not os.access(folder / "contoso-secret", os.W_OK, effective_ids=True)
                secret = read_secret(f"file:{folder}/{Path(path).name}", {}, folder)
            assert secret.reveal() == f"secret of {version}"


def test_the_configuration_of_the_cluster_is_accepted(tmp_path: Path) -> None:
    text = (JOBS / "auditor.toml").read_text("utf-8")
    config = tmp_path / "auditor.toml"
    config.write_text(re.sub(r'"YOUR [^"]*"', '"aaaaaaaa-0000-4000-8000-000000000001"', text))
    settings = load(config, {})
    state = container(RUNS[0])["volumeMounts"][2]["mountPath"]
    assert Path(settings.store).parent == settings.state_dir.parent == Path(state)
