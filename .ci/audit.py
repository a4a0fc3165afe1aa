"""Look every locked release up among PyPI's known vulnerabilities; fail where nobody could look.

usage: python .ci/audit.py PIP_AUDIT LOCK...

Exit status: 0 nothing is known, 1 something is, 2 it could not be looked up. pip-audit alone says 1
to both of the latter, and 0 when it is offline and not strict.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[\S+\])?==\S+ (?=\\$)", re.MULTILINE)
"""One that is installed everywhere: after the others stands where they are."""


def main(pip_audit: str, locks: Iterable[str]) -> int:
    """Audit the locks and say what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = ["--strict", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
        named = [word for lock in locks for word in ("-r", lock)]
        command = [pip_audit, *options, "--format=json", f"--output={report}", *named]
        try:
            subprocess.run(command, check=False)  # noqa: S603 - ours
        except OSError as error:
            return _failed(f"{pip_audit}: {error.strerror}")
        text = report.read_text("utf-8") if report.exists() else ""
    if not text:
        return _failed("pip-audit ended without a report")
    found = json.loads(text)["dependencies"]
    looked_up = {_normal(each["name"]) for each in found if "vulns" in each}
    missing = sorted({name for lock in locks for name in _names(lock)} - looked_up)
    if missing:
        return _failed(f"not looked up: {', '.join(missing)}")
    vulnerable = [each for each in found if each["vulns"]]
    for each in vulnerable:
        known = ", ".join(vulnerability["id"] for vulnerability in each["vulns"])
        print(f"{each['name']} {each['version']}: {known}")  # noqa: T201 - what it is for
    print(f"{len(looked_up)} releases looked up, {len(vulnerable)} with a known vulnerability")  # noqa: T201
    return 1 if vulnerable else 0


def _names(lock: str) -> set[str]:
    return {_normal(name) for name in _PINNED.findall(Path(lock).read_text("utf-8"))}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _failed(why: str) -> int:
    print(f"audit: nothing is proved: {why}; are PyPI's advisories within reach?", file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
