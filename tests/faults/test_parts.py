"""A divided run publishes what an undivided run does, whatever happens to its parts."""

import os
from pathlib import Path

import pytest

from tests.builders import dividing
from tests.builders.dividing import ended_well, publish, published, start_part
from tests.builders.killing import Prepared

SEEDS = range(10 if os.environ.get("SOAK") else 2)


@pytest.mark.parametrize("parts", [1, 3, 20])
def test_a_divided_run_publishes_what_an_undivided_run_does(
    case: Prepared, parts: int, tmp_path: Path
) -> None:
    folder = case.fresh(tmp_path / "divided")
    started = [start_part(case, folder, number, parts) for number in range(1, parts + 1)]
    assert ended_well([part.wait() for part in started]) == []
    assert published(case, folder, kills=0) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_part_goes_on_where_it_was(case: Prepared, seed: int, tmp_path: Path) -> None:
    """P11: a part that is killed and started again repeats only what was not shared."""
    assert dividing.kill_a_part(case, seed, tmp_path / "killed") == []


@pytest.mark.parametrize("seed", SEEDS[:1] if len(SEEDS) < 10 else SEEDS)
def test_a_part_that_was_stopped_and_woken_harms_nothing(
    case: Prepared, seed: int, tmp_path: Path
) -> None:
    """P11: its work was taken over meanwhile."""
    assert dividing.stop_a_part(case, seed, tmp_path / "stopped") == []


def test_a_part_started_twice_does_its_work_once(case: Prepared, tmp_path: Path) -> None:
    folder = case.fresh(tmp_path / "twice")
    started = [start_part(case, folder, number, 2) for number in (1, 1, 2)]
    assert ended_well([part.wait() for part in started]) == []
    assert published(case, folder, kills=0) == []
    late = start_part(case, folder, 1, 2).wait()
    assert ended_well([late]) == []
    assert case.problems(folder, kills=0) == []


def test_of_eight_publishers_one_wins(case: Prepared, tmp_path: Path) -> None:
    """P16: the others find the snapshots published."""
    folder = case.fresh(tmp_path / "racing")
    parts = [start_part(case, folder, number, 2) for number in (1, 2)]
    assert ended_well([part.wait() for part in parts]) == []
    racing = [publish(case, folder) for _ in range(8)]
    assert ended_well([each.wait() for each in racing]) == []
    assert case.problems(folder, kills=0) == []


def test_it_is_not_published_before_all_parts_are_done(case: Prepared, tmp_path: Path) -> None:
    folder = case.fresh(tmp_path / "early")
    before = publish(case, folder).wait()
    assert (before.status, "E_RUN_UNKNOWN" in before.err) == (66, True)
    assert ended_well([start_part(case, folder, 2, 2).wait()]) == []
    early = publish(case, folder).wait()
    assert (early.status, "E_PARTS_MISSING" in early.err) == (75, True)
    assert ended_well([start_part(case, folder, 1, 2).wait()]) == []
    assert published(case, folder, kills=0) == []
