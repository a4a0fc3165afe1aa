"""Runs `auditor` to its end in a process of its own, without the second that its imports take."""

import atexit
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.builders.run_processes import Ended, Launcher


def run(folder: Path, *words: str, environ: Mapping[str, str] | None = None) -> Ended:
    """Run a command in a folder, with nothing on its stdin. Several threads may do so at once."""
    with tempfile.TemporaryDirectory() as output:
        return _launcher().start(folder, *words, environ=environ, output=Path(output)).wait()


@cache
def _launcher() -> Launcher:
    """Return the launcher of this process; it ends with it."""
    launcher = Launcher({})
    launcher.__enter__()
    atexit.register(launcher.__exit__, None, None, None)
    return launcher
