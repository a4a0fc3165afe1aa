"""Concurrent runs lose no row, duplicate none, and do not wait for each other for ever."""

from pathlib import Path

import pytest

from tests.builders.concurrent_runs import run_concurrently
from tests.builders.killing import Prepared


@pytest.mark.parametrize("seed", [1, 2])
def test_concurrent_runs_leave_the_truth(case: Prepared, seed: int, tmp_path: Path) -> None:
    """P5, P9, P14, fault 11: two full runs, one of which may end with 75, and one-customer runs."""
    assert run_concurrently(case, seed, tmp_path / "crowd", runs=6) == []
