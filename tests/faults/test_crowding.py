"""Runs at once neither lose nor double a row, nor wait for one another without end."""

from pathlib import Path

import pytest

from tests.builders.crowding import crowd
from tests.builders.killing import Prepared


@pytest.mark.parametrize("seed", [1, 2])
def test_runs_at_once_leave_the_truth(case: Prepared, seed: int, tmp_path: Path) -> None:
    """P5, P9, P14, fault 11: two full runs, of which one may end with 75, and customers' runs."""
    assert crowd(case, seed, tmp_path / "crowd", runs=6) == []
