"""The units of systemd: what the manager makes of them, and what the service may do."""

import asyncio
import ctypes
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.another_partner_center import TOKEN, another_partner_center, config

PROJECT = Path(__file__).parents[2]
JOBS = PROJECT / "jobs" / "systemd"
SERVICE = (JOBS / "auditor.service").read_text("utf-8")
PR_SET_MDWE, MDWE_REFUSE_EXEC_GAIN = 65, 1

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed"
)


def setting(name: str) -> str:
    """Return the values of a setting of the service, in one line."""
    return " ".join(re.findall(rf"^{name}=(.*)$", SERVICE, re.MULTILINE))


def analyze(*words: str | Path) -> str:
    ran = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a folder with the units, whose commands exist."""
    for unit in JOBS.glob("*.[st]*"):
        text = unit.read_text("utf-8").replace("/opt/auditor/bin/auditor", "/bin/true")
        (tmp_path / unit.name).write_text(text.replace("/opt/auditor", str(PROJECT)))
    return tmp_path


@needs_systemd
def test_systemd_finds_no_fault_in_the_units(installed: Path) -> None:
    units = [installed / name for name in ("auditor.service", "auditor.timer")]
    alert = installed / "auditor-alert@auditor.service.service"
    assert analyze("verify", "--man=no", "--recursive-errors=yes", *units, alert) == ""


@needs_systemd
def test_the_service_is_hardened(installed: Path) -> None:
    """The scale of systemd-analyze ends at 100; a service without any hardening has 96."""
    analyze("security", "--offline=yes", "--threshold=15", installed / "auditor.service")


def allowed_calls() -> set[str]:
    """Return the system calls that the service may make."""
    calls: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", SERVICE, re.MULTILINE):
        named: set[str] = set()
        for word in line.removeprefix("~").split():
            named |= expanded(word)
        calls = calls - named if line.startswith("~") else calls | named
    return calls


def expanded(word: str) -> set[str]:
    if not word.startswith("@"):
        return {word}
    lines = [line.strip() for line in analyze("syscall-filter", word).splitlines()[1:]]
    return {call for line in lines if line and not line.startswith("#") for call in expanded(line)}


def without_executable_memory() -> None:
    """Do in a child what MemoryDenyWriteExecute= does; Linux has it since 6.3."""
    ctypes.CDLL(None).prctl(PR_SET_MDWE, MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)


@needs_systemd
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.asyncio
async def test_the_command_of_the_service_runs_and_makes_allowed_calls_only(
    tmp_path: Path,
) -> None:
    """The secret is a credential; the run writes into the state folder alone."""
    assert setting("LoadCredential").split() == [
        "auditor.toml:/etc/auditor/auditor.toml",
        "contoso-secret:/etc/auditor/contoso-secret",
    ]
    state, credentials = tmp_path / "auditor", tmp_path / "credentials"
    state.mkdir(mode=0o700)
    credentials.mkdir(mode=0o500)
    credentials.joinpath("contoso-secret").write_text(TOKEN)
    folders = {"STATE_DIRECTORY": str(state), "CREDENTIALS_DIRECTORY": str(credentials)}
    environ = folders.copy()
    name, _, value = setting("Environment").partition("=")
    environ[name] = value.replace("%S", str(tmp_path))
    command = re.sub(r"\$\{(\w+)\}", lambda found: folders[found[1]], setting("ExecStart"))
    command = command.replace(
        "/opt/auditor/bin/auditor", f"{shlex.quote(sys.executable)} -m auditor"
    )
    async with another_partner_center() as center:
        text = config(center.base_url).replace("env:CONTOSO_TOKEN", "credential:contoso-secret")
        places = f'store = "{state}/lake"\nstate_dir = "{state}/state"\n'
        credentials.joinpath("auditor.toml").write_text(places + text)
        ran = await asyncio.to_thread(
            subprocess.run,
            ["strace", "-f", "-qq", "-o", str(tmp_path / "calls"), *shlex.split(command)],
            env=environ | {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT)},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=without_executable_memory,
        )
    assert ran.returncode == 0, ran.stderr
    assert (state / "last-run.json").exists()
    assert (state / "lake" / "store.json").exists()
    made = set(re.findall(r"^\d+ +(\w+)\(", (tmp_path / "calls").read_text("utf-8"), re.MULTILINE))
    assert made - allowed_calls() == set()


def alert(folder: Path, *, mails: bool, **environ: str) -> tuple[str, str]:
    """Run the alert; return what it writes to the journal, and its mail."""
    tools = folder / "tools"
    tools.mkdir()
    mail = folder / "mail"
    scripts = {"journalctl": 'echo "error[E_ODD]: it went oddly"; echo "$@"'}
    if mails:
        scripts["sendmail"] = f'[ "$*" = -t ] && cat > {shlex.quote(str(mail))}'
    for name, script in scripts.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o700)
    for name in ("dirname", "uname", "cat"):
        (tools / name).symlink_to(shutil.which(name) or name)
    ran = subprocess.run(
        [JOBS / "alert.sh", "auditor.service"],
        env={"PATH": str(tools), "MAILTO": "root"} | environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout, mail.read_text() if mail.exists() else ""


def test_an_alert_is_in_the_journal_and_in_a_mail_with_the_last_lines(tmp_path: Path) -> None:
    said, mail = alert(tmp_path, mails=True, MONITOR_EXIT_STATUS="77")
    assert said.startswith("<1>auditor.service on ")
    assert "ended with 77: credentials refused for every partner" in said
    assert mail.startswith("To: root\nSubject: auditor.service on ")
    assert "error[E_ODD]: it went oddly" in mail
    assert "--unit=auditor.service" in mail


@pytest.mark.parametrize("address", ["root", ""])
def test_an_alert_without_sendmail_or_address_is_in_the_journal(
    tmp_path: Path, address: str
) -> None:
    said, mail = alert(tmp_path, mails=not address, MONITOR_EXIT_STATUS="KILL", MAILTO=address)
    assert "ended with KILL" in said
    assert mail == ""


def test_the_alert_can_be_started() -> None:
    assert os.access(JOBS / "alert.sh", os.X_OK)
