"""A run that the kernel kills for lack of memory is resumed like any killed run."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.store.folder.store import FolderStore
from tests.builders import comparing
from tests.builders.killing import Prepared, exit_problems

GROUPS = Path("/sys/fs/cgroup/memory")
MIB = 2**20


@pytest.fixture
def group() -> Iterator[Path]:
    """Return a new, empty memory cgroup; the test sets its limit."""
    made = GROUPS / f"auditor-{os.getpid()}"
    try:
        made.mkdir()
    except OSError as error:
        pytest.skip(f"cannot make a memory cgroup: {error.strerror}")
    yield made
    made.rmdir()


@pytest.mark.parametrize("mib", [28, 48])
def test_a_run_that_is_out_of_memory_is_resumed_row_for_row(
    case: Prepared, group: Path, mib: int, tmp_path: Path
) -> None:
    """P11, fault 31: with too little memory for fetching, and for publishing."""
    (group / "memory.limit_in_bytes").write_text(f"{mib * MIB}")
    folder = case.fresh(tmp_path / "night")
    started = case.launcher.start(folder, "run", "--format", "json")
    (group / "cgroup.procs").write_text(f"{started.pid}")
    assert started.wait().status == -signal.SIGKILL
    assert comparing.partials(FolderStore.open(str(folder / "lake"))) == []
    assert (
        exit_problems(case.launcher.run(folder, "run", "--resume", "--format", "json"), {0}) == []
    )
    assert case.problems(folder, kills=1) == []
