"""A bad connection costs time and attempts, never a row."""

import random
from pathlib import Path

import pytest

from tests.builders import comparing
from tests.builders.killing import Prepared, exit_problems
from tests.builders.proxy import NONE, Choose, Harm, Proxy

HARMED = 12
"""Only the first 12 connections are harmed: a call has only three attempts."""
ENDS = ("cut", "reset", "half", "trickle")


def every_other(nth: int, rng: random.Random) -> Harm:
    """End every second one of the first connections in the middle of a reply."""
    if nth >= HARMED or nth % 2:
        return NONE
    return Harm(passes=rng.randrange(1, 400), then=ENDS[nth // 2 % len(ENDS)])


def brown_out(_: int, rng: random.Random) -> Harm:
    """Delay each reply by a random time."""
    return Harm(latency_s=rng.uniform(0, 0.02), jitter_s=0.03)


@pytest.mark.parametrize("choose", [every_other, brown_out])
def test_over_a_bad_connection_the_rows_are_the_same(
    case: Prepared, choose: Choose, tmp_path: Path
) -> None:
    """P23, P24, fault 14: the rows equal the golden run's; only the number of attempts differs."""
    folder = case.fresh(tmp_path / "run")
    direct = case.serving.sandbox.base_url
    port = int(direct.rpartition(":")[2])
    with Proxy(port, choose, seed=3) as proxy:
        config = folder / "auditor.toml"
        config.write_text(config.read_text().replace(direct, proxy.base_url))
        ended = case.launcher.run(folder, "run", "--format", "json")
    assert exit_problems(ended, {0}) == []
    assert proxy.harmed >= HARMED // 2
    assert (case.serving.questions() - case.questions).total() <= proxy.harmed * 2
    found = comparing.comparable_rows(folder / "lake")
    for relation in ("inventory", "restriction", "availability", "change", "coverage", "sku"):
        assert (
            comparing.differences({relation: found[relation]}, {relation: case.rows[relation]})
            == []
        )
