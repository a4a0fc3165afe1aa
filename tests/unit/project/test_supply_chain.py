"""pip installs only releases whose hash is in a lock, and the audit looks up what is known."""

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
LOCKS = sorted(PROJECT.glob("requirements*.lock"))
AUDIT = PROJECT / ".ci" / "audit.py"
MAKEFILE = (PROJECT / "Makefile").read_text("utf-8")


def requirements(lock: Path) -> list[str]:
    """Return the requirements of a lock, each as one line."""
    text = re.sub(r"\\\n\s*", "", lock.read_text("utf-8"))
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_release_is_pinned_by_hash(lock: Path) -> None:
    """S16: no lock names a URL to download from."""
    found = requirements(lock)
    assert found
    for line in found:
        name, _, rest = line.partition("==")
        assert re.fullmatch(r"[A-Za-z0-9._-]+(\[[a-z0-9._,-]+\])?", name), line[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", rest), line[:80]
    assert "://" not in lock.read_text("utf-8")


def test_make_installs_by_hash_and_builds_nothing() -> None:
    """S16: the only exception is the project itself, which is installed from this checkout."""
    installs = [line for line in MAKEFILE.splitlines() if "-m pip" in line and " install" in line]
    checked = [line for line in installs if "--require-hashes" in line]
    assert len(checked) == 1
    assert "--only-binary :all:" in checked[0]
    others = [line.strip() for line in installs if line not in checked]
    assert all("-e ." in line for line in others), others
    assert all(lock.name in MAKEFILE for lock in LOCKS)


def wheel(folder: Path) -> Path:
    """Build the smallest package that can be installed."""
    path = folder / "tiny_canary-1.0-py3-none-any.whl"
    info = "tiny_canary-1.0.dist-info"
    files = {
        "tiny_canary.py": "here = True\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tiny-canary\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (files | {f"{info}/RECORD": record}).items():
            archive.writestr(name, text)
    return path


def installed(folder: Path, digest: str) -> tuple[int, str]:
    """Install the package from a lock with this hash; return pip's status and output."""
    (folder / "tiny.lock").write_text(f"tiny-canary==1.0 \\\n    --hash=sha256:{digest}\n")
    recipe = re.search(r"^PIP .*?pip (.*)$", MAKEFILE, re.MULTILINE)
    assert recipe
    target = folder / "target"
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pip", *recipe[1].split()),
            *("--no-index", "--find-links", str(folder), "--target", str(target)),
            *("-r", str(folder / "tiny.lock")),
        ],
        env={k: v for k, v in os.environ.items() if not k.startswith("PIP_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (target / "tiny_canary.py").exists() is (ran.returncode == 0)
    return ran.returncode, ran.stdout + ran.stderr


def test_a_wrong_hash_stops_the_installation(tmp_path: Path) -> None:
    """S16."""
    digest = hashlib.sha256(wheel(tmp_path).read_bytes()).hexdigest()
    flipped = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    status, output = installed(tmp_path, flipped)
    assert status != 0
    assert "DO NOT MATCH THE HASHES" in output
    assert installed(tmp_path, digest)[0] == 0


CLEAN = {"name": "Tiny_Canary", "version": "1.0", "vulns": []}
BAD = CLEAN | {"vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.1"]}]}
SKIPPED = {"name": "tiny-canary", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("dependencies", "status", "message"),
    [
        ([CLEAN], 0, "1 releases looked up, 0 with"),
        ([BAD], 1, "PYSEC-2026-1"),
        ([SKIPPED], 2, "not looked up: tiny-canary"),
        ([], 2, "not looked up: tiny-canary"),
        (None, 2, "without a report"),
    ],
    ids=["clean", "vulnerable", "skipped", "offline", "strict and offline"],
)
@pytest.mark.parametrize("pip_audit_status", [0, 1])
def test_an_audit_that_cannot_look_up_a_release_fails_and_says_so(
    tmp_path: Path, dependencies: object, status: int, message: str, pip_audit_status: int
) -> None:
    """S16: the status of pip-audit itself does not matter; it is 0 when pip-audit is offline."""
    lock = tmp_path / "tiny.lock"
    lock.write_text(
        "tiny-canary==1.0 \\\n    --hash=sha256:00\n"
        "elsewhere==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n"
    )
    stub = tmp_path / "pip-audit"
    report = json.dumps({"dependencies": dependencies, "fixes": []})
    write = "" if dependencies is None else f"cat > \"$out\" <<'END'\n{report}\nEND\n"
    stub.write_text(
        '#!/bin/sh\nfor word; do case "$word" in --output=*) out="${word#--output=}";; esac; done\n'
        f"{write}exit {pip_audit_status}\n"
    )
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    ran = subprocess.run(
        [sys.executable, str(AUDIT), str(stub), str(lock)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == status, ran.stderr
    assert message in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_audit_fails_without_pip_audit(tmp_path: Path) -> None:
    """S16."""
    ran = subprocess.run(
        [sys.executable, str(AUDIT), str(tmp_path / "nowhere"), str(LOCKS[0])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "nothing is proved" in ran.stderr
