"""A lock file installs on an old machine, even after newer releases of its packages."""

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
OLD_PIP = PROJECT / ".venv" / "old-pip"
"""The oldest pip that Debian or Ubuntu still ships, where `make dev` puts it."""


def wheel(index: Path, name: str, version: str, *metadata: str) -> str:
    """Add a package with one empty module to an index; return its hash."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    about = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *metadata]
    files = {
        f"{module}.py": "",
        f"{info}/METADATA": "\n".join(about) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    path = index / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in (files | {f"{info}/RECORD": record}).items():
            archive.writestr(file, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with our Makefile and a Python that makes environments with the old pip."""
    shutil.copy(PROJECT / "Makefile", tmp_path)
    site = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    python = tmp_path / "old-python"
    python.write_text(
        "#!/bin/sh -e\n"
        f'"{sys.executable}" -m venv --without-pip "$3"\n'  # called as `… -m venv FOLDER`
        f'cp -r "{OLD_PIP}"/* "$3/{site}"\n'
    )
    python.chmod(0o755)
    return tmp_path


def make(checkout: Path, lock: str) -> subprocess.CompletedProcess[str]:
    """Install a lock with the Makefile's own rule, only from the index in the folder."""
    (checkout / "requirements-audit.lock").write_text(lock)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "MAKE"))}
    index = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(checkout),
        "PIP_NO_CACHE_DIR": "1",
    }
    return subprocess.run(
        ["make", ".venv-audit/installed", "PYTHON=./old-python"],
        cwd=checkout,
        env=clean | index,
        capture_output=True,
        text=True,
        check=False,
    )


def pinned(name: str, digest: str) -> str:
    return f"{name} \\\n    --hash=sha256:{digest}\n"


@pytest.mark.parametrize("extra", ["", "[more]"], ids=["without its extra", "with its extra"])
def test_a_lock_older_than_a_release_in_the_index_installs_with_an_old_pip(
    checkout: Path, extra: str
) -> None:
    """P41: pip before 23.3 looks up `asked-for[more]` again and finds the newer release."""
    offers = "Provides-Extra: more"
    locked = wheel(checkout, "asked-for", "1.0", offers)
    wheel(checkout, "asked-for", "1.1", offers)
    needing = wheel(checkout, "asking", "1.0", "Requires-Dist: asked-for[more] >=1.0")
    lock = pinned(f"asked-for{extra}==1.0", locked) + pinned("asking==1.0", needing)
    ran = make(checkout, lock)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert list((checkout / ".venv-audit").rglob("asked_for-1.0.dist-info"))


def test_pip_check_finds_a_package_that_the_lock_lacks(checkout: Path) -> None:
    """P41: pip resolves no dependencies, so it does not install what the lock leaves out."""
    needing = wheel(checkout, "asking", "1.0", "Requires-Dist: asked-for >=1.0")
    ran = make(checkout, pinned("asking==1.0", needing))
    assert ran.returncode != 0
    assert "asking 1.0 requires asked-for" in ran.stderr


def test_every_package_that_the_code_imports_is_declared() -> None:
    """A package that only another package requires disappears when that package drops it."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    declared = {re.split(r"[\[<>=;~! ]", each)[0].lower() for each in asked}
    of_module = packages_distributions()
    imported = {
        name.partition(".")[0]
        for file in (PROJECT / "auditor").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        for name in _modules(node)
    }
    foreign = imported - set(sys.stdlib_module_names) - {"auditor"}
    undeclared = {
        module: of_module[module]
        for module in foreign
        if not {name.lower() for name in of_module[module]} & declared
    }
    assert not undeclared


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return []
