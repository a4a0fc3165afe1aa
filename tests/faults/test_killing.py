"""A run that is killed at any instant and resumed publishes what an uninterrupted run does."""

from pathlib import Path

import pytest

from tests.builders.killing import Prepared, exit_problems, kill_and_resume

POINTS = 15
AT_ONCE = 5


@pytest.mark.parametrize("first", range(0, POINTS, AT_ONCE))
def test_a_killed_run_is_resumed_row_for_row(case: Prepared, first: int, tmp_path: Path) -> None:
    """P10, P11, P16, S1, fault 1: each problem names the seed that repeats it."""
    for seed in range(first, first + AT_ONCE):
        assert kill_and_resume(case, seed, tmp_path / "killed") == []


def test_a_difference_is_found(case: Prepared, tmp_path: Path) -> None:
    """The checks find no problem in an unharmed second night, and each problem in a harmed one."""
    folder = case.fresh(tmp_path / "whole")
    assert exit_problems(case.launcher.run(folder, "run"), {0}) == []
    assert case.problems(folder, kills=0) == []
    newest = max((folder / "lake").glob("snapshot=*/inventory/*.parquet"))
    newest.write_bytes(newest.read_bytes()[:-1] + b"x")
    (folder / "lake/.latest.parquet.1.new").touch()
    (folder / "state/note").write_text(case.serving.tokens[0])
    oldest = next(iter(case.published))
    (folder / oldest).write_bytes(b"")
    found = "\n".join(case.problems(folder, kills=0))
    for what in ("partial", "left over", "canary", "harmed"):
        assert what in found
