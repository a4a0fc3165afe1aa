"""Mutation testing: runs a module's tests against mutants of it, one mistake at a time.

`make mutate MODULE=guard` prints each mutant that no test kills; docs/mutation.md explains them.
No library was found that mutates SQL too, so this one mutates both, in a copy of the tree.
"""

import argparse
import compileall
import importlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest

from tests.mutation.modules import MODULES
from tests.mutation.mutants import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
PRELOADED = (
    "aiohttp",
    "duckdb",
    "hypothesis.strategies",
    "msgspec",
    "numpy",
    "pandas",
    "pyarrow.compute",
    "pyarrow.parquet",
    "pytest_asyncio",
    "pytest_cov",
    "xdist",
)
"""Third-party modules that import slowly: each mutant runs in a fork that has imported them."""
LEAST_S = 20.0
"""Shortest timeout of a mutant's tests."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", choices=sorted(MODULES))
    parser.add_argument(
        "--most", type=int, default=100, help="size of the sample (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample")
    parser.add_argument("--only", default="", help="only mutants whose printed line contains this")
    flags = parser.parse_args()
    for name in PRELOADED:
        importlib.import_module(name)
    sources, tests = MODULES[flags.module]
    found = [
        mutant for path in _files(sources) for mutant in mutants(path, (ROOT / path).read_text())
    ]
    found = [mutant for mutant in found if flags.only in str(mutant)]
    tried = random.Random(flags.seed).sample(found, min(flags.most, len(found)))  # noqa: S311
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        compileall.compile_dir(tree, quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
        began = time.monotonic()
        if _status(tree, tests, 3600) != 0:
            sys.exit(f"{flags.module}: its tests fail without a mutation")
        timeout_s = LEAST_S + 5 * (time.monotonic() - began)
        survivors = [m for m in tried if not _is_killed(tree, m, tests, timeout_s)]
    print(
        f"{flags.module}: {len(found)} mutants, {len(tried)} tried,"
        f" {len(tried) - len(survivors)} killed, {len(survivors)} survived"
    )


def _files(sources: Sequence[str]) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for each in sources for path in ROOT.glob(each))


def _is_killed(tree: Path, mutant: Mutant, tests: Sequence[str], timeout_s: float) -> bool:
    path = tree / mutant.path
    whole = path.read_text()
    path.write_text(mutant.text)
    status = _status(tree, tests, timeout_s)
    path.write_text(whole)
    if not status:
        print(mutant, "(killed: timeout)" if status is None else "", flush=True)
    return status != 0


def _status(tree: Path, tests: Sequence[str], timeout_s: float) -> int | None:
    """Run the tests in a fork and return its status, None after a timeout."""
    child = os.fork()
    if not child:
        try:
            os._exit(_tested(tree, tests))
        finally:
            os._exit(70)
    deadline = time.monotonic() + timeout_s
    try:
        while time.monotonic() < deadline:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return status
            time.sleep(0.05)
        return None
    finally:
        with suppress(ProcessLookupError):  # processes that its tests started end too
            os.killpg(child, signal.SIGKILL)


def _tested(tree: Path, tests: Sequence[str]) -> int:
    os.setpgid(0, 0)
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(quiet, stream)
    os.chdir(tree)
    sys.path[:] = [str(tree), *(p for p in sys.path if Path(p).resolve() != ROOT)]
    os.environ |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    del sys.modules["__main__"].__file__  # a process that a test spawns would import this one
    quickly = (
        "-x -q -p no:cacheprovider -p no:randomly -W ignore::pytest.PytestAssertRewriteWarning"
    )
    return pytest.main([*quickly.split(), *tests])


if __name__ == "__main__":
    main()
